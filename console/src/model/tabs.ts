import type { Key } from "../lib/i18n.svelte";

/** The pages about meaning, in the order of their tabs; the path is where each is, `also` a page that belongs to it. */
export const tabs: readonly { path: string; key: Key; also?: string }[] = [
  { path: "/model", key: "nav.model" },
  { path: "/model/import", key: "nav.model.import" },
  { path: "/model/documents", key: "nav.documents", also: "/model/points" },
  { path: "/dictionary", key: "nav.dictionary" },
  { path: "/matching", key: "nav.matching" },
];
