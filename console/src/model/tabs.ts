import type { Key } from "../lib/i18n.svelte";

/** The places below `/model`, in the order in which they are shown. */
export const tabs: readonly { path: string; key: Key }[] = [
  { path: "/model/import", key: "documents.tab.import" },
  { path: "/model/documents", key: "documents.tab.documents" },
];
