import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, type TestContext } from "node:test";
import { keccak256, toHex } from "viem";
import { type DrawnCommittee, intervalsOf } from "../../../../keepers/src/core/attestation/statement.ts";
import { BookSweeper, type BookSweeperParts } from "../../../../keepers/src/roles/validator/book-sweeper.ts";
import { CheckBook, checkSchema } from "../../../../keepers/src/roles/validator/check-book.ts";
import { SwornBook, swornSchema } from "../../../../keepers/src/roles/validator/sworn-book.ts";
import { openState, type State } from "../../../../keepers/src/storage/state/state.ts";
import { account, LogDouble } from "../doubles.ts";
import { ToldCommittees } from "./told-committees.ts";

const drawOf = (jobId: bigint, attempt: bigint): DrawnCommittee => ({
  ...{ chainId: 1n, contract: account(9), jobId, attempt, seed: keccak256("0x01") },
  ...{ traceRoot: keccak256("0x02"), intervals: 8, checks: 2, members: [1n, 2n] },
});

const halfAnHour = 1_800_000;
const never = new AbortController().signal;

describe("what a validator has kept of a draw", () => {
  let state: State;
  let told: ToldCommittees;
  let book: CheckBook;
  let sworn: SwornBook;
  /** Jobs that are open, or of which something is disputed. */
  let open: bigint[];
  let challenged: bigint[];
  let accused: bigint[];
  let isKnown: boolean;
  let now: number;

  beforeEach(() => {
    state = openState({ path: ":memory:", schemas: [checkSchema, swornSchema] });
    [told, book, sworn] = [new ToldCommittees(), new CheckBook(state), new SwornBook(state)];
    [open, challenged, accused, isKnown, now] = [[], [], [], true, 1];
  });

  afterEach(() => {
    state.close();
    told.close();
  });

  function keep(draw: DrawnCommittee, statements = 1): void {
    const { jobId, attempt, seed, members } = draw;
    told.tell("Committee", "CommitteeDrawn", { jobId, attempt, seed, members, deadline: 9n });
    const leaves = intervalsOf(draw, 0).map((interval) => ({
      ...{ position: 0, interval },
      digest: keccak256(toHex(interval)),
    }));
    book.write(draw, { verdict: "right", digests: leaves.map(({ digest }) => digest) });
    book.writeInterval(draw, leaves[0]!.interval, keccak256("0x04"));
    for (let i = 0; i < statements; i++) book.keep(draw, keccak256(toHex(i)), 1, leaves);
    sworn.keep(draw, { position: 1, leaves, signers: [1], signature: [1n, 2n] });
  }

  const dismiss = ({ jobId, attempt }: DrawnCommittee) =>
    told.tell("Committee", "CommitteeDismissed", { jobId, attempt });

  function rows(): number {
    const tables = ["validator_checks", "validator_intervals", "validator_statements", "sworn_statements"];
    return tables.reduce(
      (sum, table) => sum + Number(state.get(`SELECT COUNT(*) AS count FROM ${table}`)!.count),
      0,
    );
  }

  function sweeper(test: TestContext): BookSweeper {
    test.mock.method(performance, "now", () => now);
    const jobs = (ids: readonly bigint[]) => ids.map((jobId) => ({ jobId }));
    const ledger = {
      openJobs: () => jobs(open),
      openChallenges: () => jobs(challenged),
      openAccusations: () => jobs(accused),
      job: (jobId: bigint) => (isKnown ? { jobId } : undefined),
    };
    const parts = { ledger, committees: told.ledger, state, log: new LogDouble().logger };
    return new BookSweeper(parts as unknown as BookSweeperParts);
  }

  /** Looks a minute after the last look, and once more than half an hour has passed. */
  async function outlast(one: BookSweeper): Promise<void> {
    now += 60_001;
    await one.tick(never);
    now += halfAnHour + 1;
    await one.tick(never);
  }

  it("goes half an hour after its draw was dismissed and its job was over, and nothing else goes with it", async (test) => {
    const [first, second, other] = [drawOf(1n, 1n), drawOf(1n, 2n), drawOf(11n, 1n)];
    for (const each of [first, second, other]) keep(each);
    dismiss(first);
    const one = sweeper(test);
    await one.tick(never);
    now += halfAnHour - 1;
    await one.tick(never);
    assert.equal(rows(), 12, "what was dismissed may be taken back");
    now += 60_001;
    await one.tick(never);
    assert.equal(rows(), 8);
    assert.equal(book.check(first), undefined);
    assert.deepEqual(sworn.of(first), []);
    for (const each of [second, other]) assert.equal(book.check(each)?.verdict, "right");
  });

  it("stays while its draw is on duty, its job is open, or something of the job is disputed", async (test) => {
    const draw = drawOf(1n, 1n);
    keep(draw);
    const one = sweeper(test);
    await outlast(one);
    assert.equal(rows(), 4, "on duty");
    const dismissed = dismiss(draw);
    for (const list of ["open", "challenged", "accused"]) {
      [open, challenged, accused] = [[], [], []];
      if (list === "open") open = [1n];
      if (list === "challenged") challenged = [1n];
      if (list === "accused") accused = [1n];
      await outlast(one);
      assert.equal(rows(), 4, list);
    }
    accused = [];
    isKnown = false;
    await outlast(one);
    assert.equal(rows(), 4, "of a job that was not read from the chain yet");
    isKnown = true;
    await one.tick(never);
    told.takeBack(dismissed);
    await outlast(one);
    assert.equal(rows(), 4, "its dismissal was taken back");
  });

  it("goes although a reorganisation has replaced its draw by another", async (test) => {
    keep(drawOf(1n, 1n));
    keep({ ...drawOf(1n, 1n), seed: keccak256("0x07") });
    dismiss(drawOf(1n, 1n));
    await outlast(sweeper(test));
    assert.equal(rows(), 0);
  });

  it("attack: goes in parts where it is much, and other work goes on between them", async (test) => {
    const draw = drawOf(1n, 1n);
    keep(draw, 200);
    dismiss(draw);
    const one = sweeper(test);
    let [turns, isDone] = [0, false];
    const count = (): void => {
      turns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await outlast(one);
    isDone = true;
    assert.equal(rows(), 0);
    assert.ok(turns >= 6, `other work went on ${turns} times`);
  });
});
