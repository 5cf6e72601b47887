/**
 * An address for reports: where it is, without what may be a key. Gateways have theirs in the path or in the query, others
 * before the host.
 */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return "…";
  const { origin, href } = new URL(url);
  return href === `${origin}/` ? href : `${origin}/…`;
}
