import type { Key } from "../lib/i18n.svelte";
import type { EdgeNode } from "../lib/types";

/** How an edge node stands to its orders, in words: `text` is filled with the order that runs, `n`, and another one, `m`. */
export interface Standing {
  text: Key;
  n: number;
  m: number;
  tone: "good" | "warn" | "calm" | "info";
}

export function standing({ status, ordered }: Pick<EdgeNode, "status" | "ordered">): Standing {
  if (!status) return { text: ordered ? "edge.order.newest" : "edge.order.none", n: ordered, m: 0, tone: "calm" };
  const { version: n, refused, on_trial } = status;
  if (on_trial) return { text: "edge.order.trial", n, m: 0, tone: "info" };
  if (ordered > Math.max(n, refused))
    return { text: n ? "edge.order.coming" : "edge.order.first", n, m: ordered, tone: "info" };
  if (refused > n) return { text: n ? "edge.order.back" : "edge.order.back.first", n, m: refused, tone: "warn" };
  return { text: n ? "edge.order.runs" : "edge.order.none", n, m: 0, tone: n ? "good" : "calm" };
}

/** A name that a node may have, made of what a person called it; empty where nothing of it will do. */
export const nodeName = (label: string): string =>
  label
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");

/** The command that makes the machine it is typed on a node of this platform. */
export const joinCommand = (address: string, name: string, secret: string): string =>
  `hulian edge join ${address} --name ${name} --invitation ${secret}`;
