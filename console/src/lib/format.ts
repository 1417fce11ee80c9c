import type { Scalar } from "./types";
import { offsetText, twice } from "./zone";

/** A moment as milliseconds since 1970, from whatever the API wrote: ms, ns (number or digits), or RFC 3339. Null: none. */
export function milliseconds(moment: unknown): number | null {
  if (moment === null || moment === undefined || moment === "" || moment === 0 || moment === "0") return null;
  if (typeof moment === "string") {
    if (/^-?\d+$/.test(moment)) return milliseconds(Number(moment));
    const parsed = Date.parse(moment);
    return Number.isNaN(parsed) ? null : parsed;
  }
  if (typeof moment !== "number" || !Number.isFinite(moment)) return null;
  return Math.abs(moment) > 1e14 ? moment / 1e6 : moment;
}

/** A number with about five significant digits, in plain notation where that stays short. */
export function number(value: number, digits = 5): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e9 || size < 1e-4) return value.toExponential(3).replace("e+", "e");
  const decimals = Math.max(0, Math.min(6, digits - 1 - Math.floor(Math.log10(size))));
  const text = value.toFixed(decimals);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** A value as a person reads it; fixed decimals keep a live number from jumping about. */
export function value(scalar: Scalar, onOff: readonly [string, string] = ["off", "on"]): string {
  if (scalar === null || scalar === undefined) return "–";
  if (typeof scalar === "boolean") return onOff[scalar ? 1 : 0];
  if (typeof scalar === "number") return number(scalar);
  return scalar;
}

export function fixed(scalar: number): string {
  if (!Number.isFinite(scalar)) return "–";
  const size = Math.abs(scalar);
  if (size !== 0 && (size >= 1e7 || size < 1e-3)) return scalar.toExponential(2).replace("e+", "e");
  return scalar.toFixed(size >= 1000 ? 1 : size >= 10 ? 2 : 3);
}

/** UCUM codes as engineers print them. */
const printed: Record<string, string> = {
  Cel: "°C",
  "[degF]": "°F",
  "%": "%",
  "m3/h": "m³/h",
  m3: "m³",
  m2: "m²",
  "kg/m3": "kg/m³",
  kscmh: "kscmh",
  "1": "",
  Ohm: "Ω",
  um: "µm",
  us: "µs",
  "[ppm]": "ppm",
};

export function unit(code: string): string {
  return printed[code] ?? code;
}

export function bytes(count: number): string {
  if (!Number.isFinite(count)) return "–";
  const names = ["B", "KB", "MB", "GB", "TB", "PB"];
  let step = 0;
  while (count >= 1000 && step < names.length - 1) {
    count /= 1000;
    step++;
  }
  return `${step === 0 || count >= 100 ? Math.round(count) : count.toFixed(1)} ${names[step]}`;
}

/** 1234567 as 1.23 M; small counts in full. */
export function count(amount: number): string {
  if (!Number.isFinite(amount)) return "–";
  if (amount < 10_000) return Math.round(amount).toLocaleString("en-US").replaceAll(",", " ");
  const names = ["", " k", " M", " G", " T"];
  let step = 0;
  while (amount >= 1000 && step < names.length - 1) {
    amount /= 1000;
    step++;
  }
  return `${amount >= 100 ? Math.round(amount) : amount >= 10 ? amount.toFixed(1) : amount.toFixed(2)}${names[step]}`;
}

const pad = (part: number, width = 2) => String(part).padStart(width, "0");

/** Local wall time, as a log shows it. */
export function clock(moment: number, withMilliseconds = false): string {
  const date = new Date(moment);
  const text = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return withMilliseconds ? `${text}.${pad(date.getMilliseconds(), 3)}` : text;
}

export function day(moment: number): string {
  const date = new Date(moment);
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

/** Date and time; today's date is left out. With its offset in the hour that comes twice when clocks are set back. */
export function moment(time: number, now = Date.now(), withMilliseconds = false): string {
  const wall = clock(time, withMilliseconds);
  const zone = twice(time) ? ` ${offsetText(time)}` : "";
  return (day(time) === day(now) ? wall : `${day(time)} ${wall}`) + zone;
}

/** The value of an `<input type="datetime-local">`. */
export function localInput(time: number): string {
  return `${day(time)}T${clock(time)}`;
}

/** 90 s as `1 min 30 s`: the two largest parts. */
export function span(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const parts: [number, string][] = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "min"],
    [1000, "s"],
  ];
  const at = parts.findIndex(([size]) => ms >= size);
  const [size, name] = parts[at]!;
  const whole = Math.floor(ms / size);
  const next = parts[at + 1];
  const rest = next && whole < 10 ? Math.floor((ms - whole * size) / next[0]) : 0;
  return rest && next ? `${whole} ${name} ${rest} ${next[1]}` : `${whole} ${name}`;
}

/** How old something is, in whole seconds at the least: a live age must not flicker. */
export function age(ms: number): string {
  return ms < 1000 ? "< 1 s" : span(ms);
}
