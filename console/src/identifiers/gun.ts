/** Scan guns: one that types like a keyboard, and one that sends lines over a serial port. */

/** FNC1 between the parts of GS1 data; guns type it as Ctrl+]. */
const separator = "\x1d";
export const longest = 8192;

interface Key {
  key: string;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

/**
 * Tells a gun from a person: a gun's keys come within `fast` milliseconds of each other, and it ends with Enter.
 * Feed it every key; it answers with the text when one was scanned.
 */
export class Wedge {
  #text = "";
  #last = 0;

  constructor(
    readonly fast = 60,
    readonly least = 4,
  ) {}

  /** `at` is the time of the key in milliseconds. */
  press(key: Key, at: number): string | null {
    const quick = at - this.#last <= this.fast;
    this.#last = at;
    if (!quick) this.#text = "";
    if (key.key === "Enter" || key.key === "Tab") {
      const text = this.#text;
      this.#text = "";
      return quick && text.length >= this.least ? text : null;
    }
    if (key.ctrlKey && key.key === "]") this.#add(separator);
    else if (key.key.length === 1 && !key.ctrlKey && !key.altKey && !key.metaKey) this.#add(key.key);
    return null;
  }

  #add(character: string): void {
    if (this.#text.length < longest) this.#text += character;
  }
}

/** Bytes of a serial port as lines: what stands before a carriage return or line feed. Overlong ones are thrown away. */
export class Lines {
  #rest = "";
  #overlong = false;

  /** The lines that end in `part`. */
  feed(part: string): string[] {
    const pieces = (this.#rest + part).split(/[\r\n]/);
    this.#rest = pieces.pop() ?? "";
    const found: string[] = [];
    for (const piece of pieces) {
      if (piece.length && piece.length <= longest && !this.#overlong) found.push(piece);
      this.#overlong = false;
    }
    if (this.#rest.length > longest) {
      this.#rest = "";
      this.#overlong = true;
    }
    return found;
  }
}
