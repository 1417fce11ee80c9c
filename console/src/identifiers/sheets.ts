/** How labels stand on paper, and what was typed as a list of them. */

export interface Sheet {
  page: string;
  across: number;
  down: number;
  margin: number;
  gap: number;
}

/** Sheets that can be bought, and a roll; "single" is a label by itself, as large as it needs to be. */
export const sheets = {
  single: null,
  a4x24: { page: "a4", across: 3, down: 8, margin: 5, gap: 2 },
  a4x12: { page: "a4", across: 3, down: 4, margin: 8, gap: 2 },
  a4x65: { page: "a4", across: 5, down: 13, margin: 6, gap: 1 },
  letterx30: { page: "letter", across: 3, down: 10, margin: 6, gap: 1 },
  roll50: { page: "50x30", across: 1, down: 1, margin: 1, gap: 0 },
  roll100: { page: "100x50", across: 1, down: 1, margin: 2, gap: 0 },
} satisfies Record<string, Sheet | null>;

export type SheetName = keyof typeof sheets;

export interface Label {
  identifier: string;
  lines: string[];
}

/** Most labels of one answer of the API. */
export const most = 1000;

/** One label a line; what stands behind a tab are lines of text below the symbol. */
export function labelsOf(text: string): Label[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.split("\t").map((part) => part.trim()))
    .filter((parts) => parts[0])
    .slice(0, most + 1)
    .map(([identifier, ...lines]) => ({ identifier: identifier!, lines: lines.filter(Boolean).slice(0, 6) }));
}

/** `text` with the labels added that are not in it yet. */
export function withLabels(text: string, added: readonly Label[]): string {
  const there = new Set(labelsOf(text).map((label) => label.identifier));
  const lines = added
    .filter((label) => !there.has(label.identifier))
    .map((label) => [label.identifier, ...label.lines].join("\t"));
  return [...(text.trim() ? [text.replace(/\s+$/, "")] : []), ...lines].join("\n");
}
