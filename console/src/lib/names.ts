/** The one escaping rule of Hulian: ASCII letters, digits, `_` and `-` stay; any other byte becomes `~` and two hex digits. */
export function escapeName(text: string): string {
  let out = "";
  for (const byte of new TextEncoder().encode(text)) {
    const character = String.fromCharCode(byte);
    out += /[A-Za-z0-9_-]/.test(character) ? character : `~${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}

/** The inverse of `escapeName`; null for what it cannot have written. */
export function unescapeName(token: string): string | null {
  if (!/^(?:[A-Za-z0-9_-]|~[0-9A-F]{2})+$/.test(token)) return null;
  const bytes: number[] = [];
  for (let position = 0; position < token.length; position++) {
    if (token[position] === "~") {
      bytes.push(parseInt(token.slice(position + 1, position + 3), 16));
      position += 2;
    } else bytes.push(token.charCodeAt(position));
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(bytes));
  } catch {
    return null;
  }
}

/** The thing and the property of a point name. */
export function splitPoint(name: string): { thing: string; property: string } {
  const mark = name.indexOf("#");
  return mark < 0 ? { thing: name, property: "" } : { thing: name.slice(0, mark), property: name.slice(mark + 1) };
}
