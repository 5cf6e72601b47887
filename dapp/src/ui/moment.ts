/** The moment that lies so many seconds after 1970; none for what is no time, or later than a calendar reaches. */
export function momentOf(seconds: string | bigint | number): Date | undefined {
  const date = new Date(Number(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** How long, in two units at most: "2 h 5 min". */
export function duration(seconds: number): string {
  const left = Math.max(0, Math.round(seconds));
  const units = [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
  ] as const;
  const first = units.findIndex(([, size]) => left >= size);
  if (first < 0) return "0 s";
  const [name, size] = units[first]!;
  const rest = left % size;
  const next = units[first + 1];
  const more = next === undefined || rest < next[1] ? "" : ` ${Math.floor(rest / next[1])} ${next[0]}`;
  return `${Math.floor(left / size)} ${name}${more}`;
}
