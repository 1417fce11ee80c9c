import { post } from "./api";
import type { Key } from "./i18n.svelte";
import type { Point } from "./types";

/** A value to be written: `json` is what is sent, `shown` what a person reads. */
export interface Wish {
  json: string;
  shown: string;
}

/** Why a text is no set-point: the text to show, and what fills its holes. */
export interface Flaw {
  flaw: Key;
  holes?: Record<string, string | number>;
}

/** Storage classes that a person can type a value of; booleans have a switch. */
export const typed = (point: Point): boolean => ["double", "integer", "text"].includes(point.storage ?? "double");

const decimal = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/;
const whole = /^[-+]?\d+$/;
const [lowest, highest] = [-(2n ** 63n), 2n ** 63n - 1n];
const longest = 4000;

/** `text` as a value of the point's type and within its range, or why it is none. Whole numbers keep all 64 bits. */
export function parse(point: Point, text: string): Wish | Flaw {
  const storage = point.storage ?? "double";
  if (storage === "text") {
    if (text.length > longest) return { flaw: "setpoint.long", holes: { n: longest } };
    return { json: JSON.stringify(text), shown: text };
  }
  const trimmed = text.trim();
  let json: string;
  if (storage === "integer") {
    if (!whole.test(trimmed)) return { flaw: "setpoint.notwhole" };
    const exact = BigInt(trimmed.replace("+", ""));
    if (exact < lowest || exact > highest) return { flaw: "setpoint.notwhole" };
    json = String(exact);
  } else {
    if (!decimal.test(trimmed) || !Number.isFinite(Number(trimmed))) return { flaw: "setpoint.notnumber" };
    json = JSON.stringify(Number(trimmed));
  }
  const [low, high] = [point.low ?? -Infinity, point.high ?? Infinity];
  if (Number(json) < low || Number(json) > high) {
    return { flaw: "setpoint.outside", holes: { low: point.low ?? "–", high: point.high ?? "–" } };
  }
  return { json, shown: json };
}

/** A name for one wish of a person: sent again, the same wish acts once. */
export function newIdentity(): string {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Returns when the device has confirmed; throws `ApiError` with the device's own code where it refuses. */
export async function command(point: Point, wish: Wish, identity: string): Promise<void> {
  const rest = JSON.stringify({ point: point.name, identity, confirm: true }).slice(1);
  await post("/commands", undefined, { text: `{"value":${wish.json},${rest}` });
}
