const place = "/search/";

/**
 * What somebody looks for, by the address as the browser has it: read once, and as it stands where a sign in it begins no
 * escape ("50%").
 */
export function searchedFor(location: string): string {
  const text = location.slice(place.length);
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
