/** What a person chose on this device; each falls back to what the system says. */
export type Theme = "system" | "light" | "dark";

export function stored(key: string): string | null {
  try {
    return localStorage.getItem(`hulian.${key}`);
  } catch {
    return null;
  }
}

export function store(key: string, text: string | null): void {
  try {
    if (text === null) localStorage.removeItem(`hulian.${key}`);
    else localStorage.setItem(`hulian.${key}`, text);
  } catch {
    // A browser that refuses storage forgets the choice, and nothing else.
  }
}

const dark = matchMedia("(prefers-color-scheme: dark)");

class Preferences {
  theme = $state<Theme>((stored("theme") as Theme | null) ?? "system");
  #systemDark = $state(dark.matches);

  constructor() {
    dark.addEventListener("change", () => (this.#systemDark = dark.matches));
    this.#apply();
  }

  get dark(): boolean {
    return this.theme === "system" ? this.#systemDark : this.theme === "dark";
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    store("theme", theme === "system" ? null : theme);
    this.#apply();
  }

  #apply(): void {
    if (this.theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.theme;
  }
}

export const preferences = new Preferences();
