import { get, itemsOf } from "./api";
import type { Certificate } from "./types";

/** The certificate that the device at `url` showed (to the edge node `edge`) and that waits for a person; null: none. */
export async function waitingAt(url: string, edge: string): Promise<Certificate | null> {
  const found = itemsOf(await get<{ items: Certificate[] }>("/certificates"));
  const host = new URL(url.trim().replace(/^[^:]+:/, "http:")).host;
  return found.find((one) => one.state === "pending" && one.edge === edge && one.peer.includes(host)) ?? null;
}

/** A thumbprint in groups of four, as devices print it. */
export const grouped = (thumbprint: string): string => thumbprint.toUpperCase().replace(/(.{4})(?=.)/g, "$1 ");
