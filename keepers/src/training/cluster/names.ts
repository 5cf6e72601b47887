/**
 * Whether two workers may be one and the same. A worker is named by what it goes by, with slashes between: by its account
 * and its peer id, say. Whoever shares one of them with another counts as the same.
 */
export function mayBeOne(one: string, other: string): boolean {
  const names = other.split("/");
  return one.split("/").some((name, i) => name === names[i]);
}
