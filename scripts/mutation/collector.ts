/** Stands for `node:test` in a worker: keeps the tests of a file, so that they can run again and again in one process. */

type Body = (context: Context) => unknown;
type Hook = () => unknown;
type Options = { skip?: boolean | string; todo?: boolean | string };
type Group = {
  setUp?: Hook;
  before: Hook[];
  after: Hook[];
  beforeEach: Hook[];
  afterEach: Hook[];
  children: (Group | { test: Body })[];
};

/** What the tests use of their context. */
type Context = { diagnostic(text: string): void };
const context: Context = { diagnostic: () => {} };

const empty = (setUp?: Hook): Group => ({
  ...(setUp === undefined ? {} : { setUp }),
  before: [],
  after: [],
  beforeEach: [],
  afterEach: [],
  children: [],
});

let current = empty();

const isSkipped = (options: unknown) => {
  const { skip, todo } = typeof options === "object" && options !== null ? (options as Options) : {};
  return (skip !== undefined && skip !== false) || (todo !== undefined && todo !== false);
};

export function describe(_name: string, ...rest: [Hook] | [Options, Hook]): void {
  const body = rest.at(-1) as Hook;
  if (!isSkipped(rest[0])) current.children.push(empty(body));
}

export function it(_name: string, ...rest: [Body] | [Options, Body]): void {
  const test = rest.at(-1) as Body;
  if (!isSkipped(rest[0])) current.children.push({ test });
}

export const test = it;
export const suite = describe;
export const before = (hook: Hook) => void current.before.push(hook);
export const after = (hook: Hook) => void current.after.push(hook);
export const beforeEach = (hook: Hook) => void current.beforeEach.push(hook);
export const afterEach = (hook: Hook) => void current.afterEach.push(hook);

/**
 * Loads a file and runs its tests in their order, up to the first that fails.
 * @param load imports the file
 * @param onTest is called before each test with its number, from zero, and says whether it is run
 * @param onFailure gets the number of a test that fails, and says whether to go on
 */
export async function runTests(
  load: () => Promise<unknown>,
  onTest: (number: number) => boolean,
  onFailure: (number: number) => boolean = () => false,
): Promise<void> {
  const file = empty(load);
  let count = 0;
  const run = async (group: Group, outer: { each: Hook[]; last: Hook[] }) => {
    current = group;
    await group.setUp?.();
    for (const hook of group.before) await hook();
    const each = [...outer.each, ...group.beforeEach];
    const last = [...group.afterEach, ...outer.last];
    try {
      for (const child of group.children) {
        if ("children" in child) await run(child, { each, last });
        else {
          const number = count++;
          if (!onTest(number)) continue;
          try {
            for (const hook of each) await hook();
            await child.test(context);
          } catch (error) {
            if (!onFailure(number)) throw error;
          } finally {
            for (const hook of last) await hook();
          }
        }
      }
    } finally {
      for (const hook of group.after) await hook();
    }
  };
  await run(file, { each: [], last: [] });
}
