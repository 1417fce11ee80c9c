/** The path that the browser loaded; what the server allows was decided for it. */
export const landed = location.pathname;

/** Where the person is: the path and query of the address bar, kept by the History API. */
class Router {
  path = $state(location.pathname);
  query = $state(new URLSearchParams(location.search));

  constructor() {
    addEventListener("popstate", () => this.#read());
    document.addEventListener("click", (event) => this.#follow(event));
  }

  /** Goes to `href` within the console. */
  go(href: string, { replace = false } = {}): void {
    if (replace) history.replaceState(null, "", href);
    else history.pushState(null, "", href);
    const before = this.path;
    this.#read();
    if (this.path !== before) {
      scrollTo(0, 0);
      requestAnimationFrame(() => document.getElementById("main")?.focus({ preventScroll: true }));
    }
  }

  /** Replaces the query without a new entry in the history. */
  replaceQuery(parameters: URLSearchParams): void {
    const text = parameters.toString();
    history.replaceState(null, "", this.path + (text ? `?${text}` : ""));
    this.query = parameters;
  }

  /** The parts of the path below `root`, decoded; null where the path is elsewhere. */
  under(root: string): string[] | null {
    if (this.path !== root && !this.path.startsWith(`${root}/`)) return null;
    return this.path.slice(root.length).split("/").filter(Boolean).map(decodeURIComponent);
  }

  #read(): void {
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
  }

  #follow(event: MouseEvent): void {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    const link = (event.target as Element | null)?.closest("a");
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.pathname.startsWith("/api/")) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }
}

export const router = new Router();
