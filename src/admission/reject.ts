// The ways in which somebody is not admitted.

/** Why somebody is not admitted. */
export type AdmissionReject =
  | "entry-point-full"
  | "address-full"
  | "address-too-fast"
  | "too-many-handshakes"
  | "address-too-many-handshakes";
