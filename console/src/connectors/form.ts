import type { ProtocolInfo } from "../lib/types";

/** What a person says of a new connection. */
export interface NewConnection {
  url: string;
  user: string;
  password: string;
  name: string;
  prefix: string;
  thing: string;
  path: string;
  /** The edge node that it runs on; empty: the platform itself. */
  edge: string;
}

/** The scheme of an address, in small letters; empty where it has none. */
export const schemeOf = (url: string): string =>
  /^([a-z][a-z0-9+.-]*):\/\//i.exec(url.trim())?.[1]?.toLowerCase() ?? "";

/** The protocol that an address names. */
export const speaking = (protocols: readonly ProtocolInfo[], url: string): ProtocolInfo | undefined =>
  protocols.find((one) => one.schemes.some((name) => name.replace("://", "") === schemeOf(url)));
