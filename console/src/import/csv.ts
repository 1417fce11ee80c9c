/** The beginning of a CSV file, to be looked at before it is sent; and its header under other names. */

export const columns = ["point", "time", "value", "status"] as const;
export type Column = (typeof columns)[number];

export interface Preview {
  header: string[];
  rows: string[][];
  /** Bytes of the header with the end of its line. */
  headerSize: number;
}

const quote = 0x22;

/** The records of `text`, quotes undone (RFC 4180); what follows the last line's end is left out unless `whole`. */
export function records(text: string, whole: boolean, most = Infinity): string[][] {
  const found: string[][] = [];
  let record: string[] = [];
  let cell = "";
  let quoted = false;
  const end = () => {
    record.push(cell);
    if (record.length > 1 || cell !== "") found.push(record);
    record = [];
    cell = "";
  };
  for (let at = 0; at < text.length && found.length < most; at++) {
    const sign = text[at]!;
    if (quoted) {
      if (sign !== '"') cell += sign;
      else if (text[at + 1] === '"') {
        cell += sign;
        at++;
      } else quoted = false;
    } else if (sign === '"' && cell === "") quoted = true;
    else if (sign === ",") {
      record.push(cell);
      cell = "";
    } else if (sign === "\n") end();
    else if (sign !== "\r") cell += sign;
  }
  if (whole && found.length < most && (cell !== "" || record.length)) end();
  return found;
}

/** Header and first rows of a file that begins with `bytes`; `whole` where that is all of it. Null where it has no header. */
export function preview(bytes: Uint8Array, whole: boolean, most = 8): Preview | null {
  let inside = false;
  let headerSize = 0;
  for (const byte of bytes) {
    headerSize++;
    if (byte === quote) inside = !inside;
    else if (byte === 0x0a && !inside) break;
  }
  // TextDecoder leaves a byte order mark out.
  const [header, ...rows] = records(new TextDecoder().decode(bytes), whole, most + 1);
  return header ? { header, rows, headerSize } : null;
}

const spoken: [Column, RegExp][] = [
  ["point", /^(point|tag|name|signal|series|variable|点|位号)$/i],
  ["time", /^(time|timestamp|datetime|date_?time|ts|时间)$/i],
  ["value", /^(value|val|reading|值|数值)$/i],
  ["status", /^(status|status_?code)$/i],
];

/** For each column that an import needs, the place in the header that looks like it; -1 where none does. */
export function guess(header: readonly string[]): Record<Column, number> {
  const found = spoken.map(([column, looks]) => {
    const exact = header.indexOf(column);
    return [column, exact >= 0 ? exact : header.findIndex((name) => looks.test(name.trim()))] as const;
  });
  return Object.fromEntries(found) as Record<Column, number>;
}

/** The header's line with the chosen columns under the names that an import knows; the rest keeps out of their way. */
export function renamed(header: readonly string[], chosen: Record<Column, number>): string {
  const names = header.map((name, at) => {
    const column = columns.find((one) => chosen[one] === at);
    return column ?? `-${at + 1} ${name}`;
  });
  return `${names.map((name) => `"${name.replaceAll('"', '""')}"`).join(",")}\n`;
}

/** Whether the header can be sent as it stands. */
export const plain = (header: readonly string[], chosen: Record<Column, number>): boolean =>
  new Set(header).size === header.length && columns.every((one) => chosen[one] === header.indexOf(one));
