import { word } from "../lib/i18n.svelte";

/** A column or a field of points, as a person reads it: `text.zh`, `options.scale`. */
export const title = (column: string): string =>
  word("tagcolumn", column.split(".")[0]!) + (/\.(.+)/.exec(column)?.[0] ?? "");
