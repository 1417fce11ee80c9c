/** OPC UA StatusCodes: the top two bits are the severity (OPC 10000-4, section 7.39). */
export type Severity = "good" | "uncertain" | "bad";

export function severityOf(status: number): Severity {
  if (status < 0x40000000) return "good";
  return status < 0x80000000 ? "uncertain" : "bad";
}

const names: Record<number, string> = {
  0x00000000: "Good",
  0x00300000: "GoodClamped",
  0x40000000: "Uncertain",
  0x408f0000: "UncertainNoCommunicationLastUsableValue",
  0x40900000: "UncertainLastUsableValue",
  0x40930000: "UncertainSensorNotAccurate",
  0x40940000: "UncertainEngineeringUnitsExceeded",
  0x80000000: "Bad",
  0x80070000: "BadDecodingError",
  0x800a0000: "BadTimeout",
  0x801f0000: "BadUserAccessDenied",
  0x80310000: "BadNoCommunication",
  0x80320000: "BadWaitingForInitialData",
  0x80330000: "BadNodeIdInvalid",
  0x80340000: "BadNodeIdUnknown",
  0x803c0000: "BadOutOfRange",
  0x80740000: "BadTypeMismatch",
  0x80890000: "BadConfigurationError",
  0x808a0000: "BadNotConnected",
  0x808b0000: "BadDeviceFailure",
  0x808c0000: "BadSensorFailure",
  0x808d0000: "BadOutOfService",
  0x809b0000: "BadNoData",
};

/** The standard's name of a status, or its number where it has none here. */
export function statusName(status: number): string {
  const known = names[(status & 0xffff0000) >>> 0];
  return known ?? `0x${(status >>> 0).toString(16).toUpperCase().padStart(8, "0")}`;
}
