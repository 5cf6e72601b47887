/** The moment that lies so many seconds after 1970; none for what is no time, or later than a calendar reaches. */
export function momentOf(seconds: string | bigint | number): Date | undefined {
  const date = new Date(Number(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
