// The versions of MQTT that are read, by their names in the configuration.

/** 3.1 (IBM and Eurotech, 2010), 3.1.1 and 5 (OASIS). */
export type MqttVersion = "3.1" | "3.1.1" | "5";
