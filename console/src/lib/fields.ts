/** One field that changes, as a person reads it; null where there is nothing. */
export interface FieldChange {
  field: string;
  old: string | null;
  new: string | null;
}

/** `value` in as many characters as a line of a table takes. */
export function short(value: string, most = 160): string {
  return value.length > most ? `${value.slice(0, most - 1)}…` : value;
}
