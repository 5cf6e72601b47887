import { ToggleGroup } from "radix-ui";
import { useState } from "react";
import { applyTheme, storedTheme, type Theme } from "../theme/theme.ts";
import styles from "./theme-switch.module.css";

const themes: readonly { value: Theme; name: string; sign: string }[] = [
  { value: "light", name: "Light", sign: "☀" },
  { value: "system", name: "As the system", sign: "◐" },
  { value: "dark", name: "Dark", sign: "☾" },
];

/** Light, dark, or as the system says. */
export function ThemeSwitch() {
  const [theme, setTheme] = useState(storedTheme);
  const choose = (chosen: string) => {
    const next = themes.find(({ value }) => value === chosen)?.value;
    if (next === undefined) return;
    applyTheme(next);
    setTheme(next);
  };
  return (
    <ToggleGroup.Root
      type="single"
      value={theme}
      onValueChange={choose}
      aria-label="Colours"
      className={styles.group}
    >
      {themes.map(({ value, name, sign }) => (
        <ToggleGroup.Item key={value} value={value} aria-label={name} title={name} className={styles.item}>
          <span aria-hidden="true">{sign}</span>
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}
