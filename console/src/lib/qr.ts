/**
 * A QR code (ISO/IEC 18004) of a short text: byte mode, error correction M, versions 1 to 6. Rows of dark modules.
 * Throws `RangeError` for a text of more than 106 bytes.
 */
export function qr(text: string): boolean[][] {
  const bytes = new TextEncoder().encode(text);
  const version = layouts.findIndex(({ data }) => data >= bytes.length + 2) + 1;
  if (version === 0) throw new RangeError(`${bytes.length} bytes are too many for a QR code here`);
  const { data, check, blocks } = layouts[version - 1]!;
  const bits: number[] = [];
  const write = (value: number, count: number) => {
    for (let at = count - 1; at >= 0; at--) bits.push((value >>> at) & 1);
  };
  write(0b0100, 4);
  write(bytes.length, 8);
  for (const byte of bytes) write(byte, 8);
  write(0, Math.min(4, data * 8 - bits.length));
  while (bits.length % 8) bits.push(0);
  const words = Array.from({ length: bits.length / 8 }, (_, at) =>
    parseInt(bits.slice(at * 8, at * 8 + 8).join(""), 2),
  );
  for (let pad = 0xec; words.length < data; pad ^= 0xfd) words.push(pad);

  const each = data / blocks;
  const parts = Array.from({ length: blocks }, (_, at) => words.slice(at * each, (at + 1) * each));
  const checks = parts.map((part) => reedSolomon(part, check));
  const stream = [...interleave(parts), ...interleave(checks)];
  return draw(version, stream);
}

/** Data words, check words a block and blocks of versions 1 to 6 at level M; all blocks of a version are of one length. */
const layouts = [
  { data: 16, check: 10, blocks: 1 },
  { data: 28, check: 16, blocks: 1 },
  { data: 44, check: 26, blocks: 1 },
  { data: 64, check: 18, blocks: 2 },
  { data: 86, check: 24, blocks: 2 },
  { data: 108, check: 16, blocks: 4 },
];

function interleave(parts: number[][]): number[] {
  return parts[0]!.flatMap((_, at) => parts.map((part) => part[at]!));
}

function multiply(a: number, b: number): number {
  let product = 0;
  for (let at = 7; at >= 0; at--) {
    product = (product << 1) ^ ((product >>> 7) * 0x11d);
    product ^= ((b >>> at) & 1) * a;
  }
  return product & 0xff;
}

function reedSolomon(data: readonly number[], degree: number): number[] {
  const divisor = Array<number>(degree).fill(0);
  divisor[degree - 1] = 1;
  let root = 1;
  for (let step = 0; step < degree; step++) {
    for (let at = 0; at < degree; at++) {
      divisor[at] = multiply(divisor[at]!, root) ^ (divisor[at + 1] ?? 0);
    }
    root = multiply(root, 2);
  }
  const rest = Array<number>(degree).fill(0);
  for (const word of data) {
    const factor = word ^ rest.shift()!;
    rest.push(0);
    for (let at = 0; at < degree; at++) rest[at]! ^= multiply(divisor[at]!, factor);
  }
  return rest;
}

const masks: ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

function draw(version: number, stream: readonly number[]): boolean[][] {
  const size = 17 + 4 * version;
  const dark = Array.from({ length: size }, () => Array<boolean>(size).fill(false));
  const fixed = Array.from({ length: size }, () => Array<boolean>(size).fill(false));
  const set = (x: number, y: number, on: boolean) => {
    if (x < 0 || y < 0 || x >= size || y >= size) return;
    dark[y]![x] = on;
    fixed[y]![x] = true;
  };
  for (let at = 0; at < size; at++) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  for (const [cx, cy] of [
    [3, 3],
    [size - 4, 3],
    [3, size - 4],
  ] as const) {
    for (let dy = -4; dy <= 4; dy++) {
      for (let dx = -4; dx <= 4; dx++) {
        const ring = Math.max(Math.abs(dx), Math.abs(dy));
        set(cx + dx, cy + dy, ring !== 2 && ring !== 4);
      }
    }
  }
  if (version > 1) {
    const centre = size - 7;
    for (let dy = -2; dy <= 2; dy++) {
      for (let dx = -2; dx <= 2; dx++) set(centre + dx, centre + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
    }
  }
  format(0, size, set);

  let bit = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++) {
      for (let side = 0; side < 2; side++) {
        const x = right - side;
        const y = ((right + 1) & 2) === 0 ? size - 1 - step : step;
        if (fixed[y]![x] || bit >= stream.length * 8) continue;
        dark[y]![x] = ((stream[bit >>> 3]! >>> (7 - (bit & 7))) & 1) === 1;
        bit++;
      }
    }
  }

  let best: boolean[][] = dark;
  let least = Infinity;
  masks.forEach((mask, number) => {
    const tried = dark.map((row, y) => row.map((on, x) => (fixed[y]![x] ? on : on !== mask(x, y))));
    format(number, size, (x, y, on) => (tried[y]![x] = on));
    const points = penalty(tried);
    if (points < least) {
      least = points;
      best = tried;
    }
  });
  return best;
}

/** Level M and the mask's number, protected by a BCH code, in both their places; and the module that is always dark. */
function format(mask: number, size: number, set: (x: number, y: number, on: boolean) => void): void {
  let rest = mask;
  for (let step = 0; step < 10; step++) rest = (rest << 1) ^ ((rest >>> 9) * 0x537);
  const bits = ((mask << 10) | rest) ^ 0x5412;
  const on = (at: number) => ((bits >>> at) & 1) === 1;
  for (let at = 0; at <= 5; at++) set(8, at, on(at));
  set(8, 7, on(6));
  set(8, 8, on(7));
  set(7, 8, on(8));
  for (let at = 9; at < 15; at++) set(14 - at, 8, on(at));
  for (let at = 0; at < 8; at++) set(size - 1 - at, 8, on(at));
  for (let at = 8; at < 15; at++) set(8, size - 15 + at, on(at));
  set(8, size - 8, true);
}

function penalty(code: boolean[][]): number {
  const size = code.length;
  let points = 0;
  const lines = [...code, ...code.map((_, x) => code.map((row) => row[x]!))];
  for (const line of lines) {
    const text = line.map((on) => (on ? "1" : "0")).join("");
    for (const run of text.match(/0{5,}|1{5,}/g) ?? []) points += run.length - 2;
    for (let at = 0; at + 11 <= size; at++) {
      const part = text.slice(at, at + 11);
      if (part === "10111010000" || part === "00001011101") points += 40;
    }
  }
  for (let y = 0; y < size - 1; y++) {
    for (let x = 0; x < size - 1; x++) {
      const on = code[y]![x];
      if (on === code[y]![x + 1] && on === code[y + 1]![x] && on === code[y + 1]![x + 1]) points += 3;
    }
  }
  const share = code.flat().filter(Boolean).length / (size * size);
  return points + Math.floor(Math.abs(share - 0.5) * 20) * 10;
}
