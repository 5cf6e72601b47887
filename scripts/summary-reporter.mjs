// A node:test reporter that writes what a run comes to as one JSON line: the counts of leaf tests, those that failed, and how
// long each file took.
export default async function* summary(source) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  const failures = [];
  const seconds = {};
  for await (const { type, data } of source) {
    if (type === "test:summary" && data.file !== undefined) seconds[data.file] = data.duration_ms / 1000;
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.details?.type === "suite") continue;
    if (data.skip !== undefined || data.todo !== undefined) skipped++;
    else if (type === "test:pass") passed++;
    else {
      failed++;
      failures.push(`${data.file ?? "?"}: ${data.name}`);
    }
  }
  yield `${JSON.stringify({ passed, failed, skipped, failures, seconds })}\n`;
}
