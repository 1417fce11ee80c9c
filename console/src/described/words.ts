import type { FieldChange } from "../lib/fields";
import { t } from "../lib/i18n.svelte";
import { title } from "../points/words";
import type { ChangedField } from "./types";
import { shown } from "./wish";

/** The name of a field of a connector or a point. */
const fieldName = (field: string): string => {
  if (field === "url") return t("connector.url");
  if (field === "credentials") return t("connector.credentials");
  if (field.startsWith("settings.")) return field.slice("settings.".length);
  return title(field.startsWith("texts.") ? field.replace("texts.", "text.") : field);
};

/** Fields as a person reads them. */
export const readable = (fields: readonly ChangedField[]): FieldChange[] =>
  fields.map((one) => ({ field: fieldName(one.field), old: shown(one.old), new: shown(one.new) }));
