# Paho's Python client, told what to do: a JSON object a line on standard input, and one a line on standard output for all that happens.
# Many clients live in this one process. Payloads and correlation data are hexadecimal; the names of properties are those of MQTT.js.

import json
import socket
import ssl
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

VERSIONS = {"3.1": mqtt.MQTTv31, "3.1.1": mqtt.MQTTv311, "5": mqtt.MQTTv5}
# From 2.0 on it has to be said how it calls back.
CALLBACKS = [mqtt.CallbackAPIVersion.VERSION1] if hasattr(mqtt, "CallbackAPIVersion") else []
LOCK = threading.Lock()
clients = {}


def tell(**what):
    with LOCK:
        print(json.dumps(what), flush=True)


def written(kind, values):
    if not values:
        return None
    made = Properties(kind)
    for name, value in values.items():
        if name == "userProperties":
            made.UserProperty = [tuple(pair) for pair in value]
        elif name == "correlationData":
            made.CorrelationData = bytes.fromhex(value)
        else:
            setattr(made, name[0].upper() + name[1:], int(value) if isinstance(value, bool) else value)
    return made


def read(properties):
    values = properties.json() if properties is not None else {}
    said = {name[0].lower() + name[1:]: value for name, value in values.items()}
    if "userProperty" in said:
        said["userProperties"] = said.pop("userProperty")
    return said


def code(reason):
    return reason if isinstance(reason, int) else reason.value


def connect(name, order):
    version = order["version"]
    five = version == "5"
    options = {} if five else {"clean_session": order.get("clean", True)}
    client = mqtt.Client(*CALLBACKS, order["clientId"], protocol=VERSIONS[version], **options)
    clients[name] = client
    if "username" in order:
        client.username_pw_set(order["username"], order.get("password"))
    if "ca" in order:
        client.tls_set(order["ca"], tls_version=ssl.PROTOCOL_TLS_CLIENT)
    if "will" in order:
        will = order["will"]
        properties = written(PacketTypes.WILLMESSAGE, will.get("properties"))
        client.will_set(will["topic"], bytes.fromhex(will["payload"]), will["qos"], will["retain"], properties)
    client.reconnect_delay_set(1, 1)

    def on_connect(_client, _data, flags, reason, properties=None):
        said = read(properties)
        tell(client=name, event="connect", code=code(reason), present=flags["session present"] == 1, properties=said)

    def on_message(_client, _data, message):
        said = read(getattr(message, "properties", None))
        tell(
            client=name,
            event="message",
            topic=message.topic,
            payload=message.payload.hex(),
            qos=message.qos,
            retain=bool(message.retain),
            properties=said,
        )

    client.on_connect = on_connect
    client.on_message = on_message
    client.on_disconnect = lambda _client, _data, reason, *_: tell(client=name, event="disconnect", code=code(reason))
    client.on_subscribe = lambda _client, _data, number, *_: tell(client=name, event="done", number=number)
    client.on_publish = lambda _client, _data, number: tell(client=name, event="done", number=number)
    more = {}
    if five:
        more["clean_start"] = order.get("clean", True)
        more["properties"] = written(PacketTypes.CONNECT, order.get("properties"))
    client.connect_async(order["host"], order["port"], order.get("keepAlive", 60), **more)
    client.loop_start()


def obey(order):
    name = order["client"]
    if order["do"] == "connect":
        return connect(name, order)
    client = clients[name]
    if order["do"] == "publish":
        properties = written(PacketTypes.PUBLISH, order.get("properties"))
        options = {"properties": properties} if properties else {}
        sent = client.publish(order["topic"], bytes.fromhex(order["payload"]), order["qos"], order["retain"], **options)
        tell(client=name, event="begun", order=order["number"], number=sent.mid)
    elif order["do"] == "subscribe":
        _, number = client.subscribe(order["topic"], order["qos"])
        tell(client=name, event="begun", order=order["number"], number=number)
    elif order["do"] == "leave":
        client.disconnect()
    elif order["do"] == "break":
        # As where a cable is cut: no DISCONNECT, and it does not come back.
        client._reconnect_on_failure = False
        client.socket().shutdown(socket.SHUT_RDWR)


for line in sys.stdin:
    try:
        obey(json.loads(line))
    except Exception as error:
        tell(client="", event="fault", what=f"{line.strip()[:200]}: {error!r}")
