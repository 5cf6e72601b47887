/** How the page looks: as the system says, or as the visitor chose. */
export type Theme = "system" | "light" | "dark";

const key = "assay.theme";

/** What the visitor chose before; the system's way when nothing was, or nothing can be kept. */
export function storedTheme(): Theme {
  try {
    const kept = localStorage.getItem(key);
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    return "system";
  }
}

/** Shows a theme and keeps the choice. */
export function applyTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(key);
    else localStorage.setItem(key, theme);
  } catch {
    // Private windows keep nothing; the choice then lasts as long as the page.
  }
}
