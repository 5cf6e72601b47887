import type * as z from "zod";

/** Where a value breaks its schema, as a path like `bundles[3].cid`, and why, in words. */
export type SchemaProblem = { field: string; reason: string };

/** The first problem that a schema found; `whole` names the value itself. */
export function firstProblem(error: z.ZodError, whole: string): SchemaProblem {
  const issue = error.issues[0]!;
  const path = issue.path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("");
  const field = path.replace(/^\./, "") || whole;
  if (issue.code !== "unrecognized_keys") return { field, reason: issue.message };
  return { field, reason: `it has the unknown field "${(issue.keys[0] ?? "").slice(0, 64)}"` };
}
