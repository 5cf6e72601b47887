import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { type Address, getAddress, type Hex, pad, toHex } from "viem";
import type { AssayEvent } from "../../../keepers/src/chain/contracts.ts";
import { bundleId } from "../../../keepers/src/core/ids.ts";
import { Ledger, ledgerHandler, ledgerSchema } from "../../../keepers/src/roles/storage-node/ledger.ts";
import { openState, type State } from "../../../keepers/src/storage/state/state.ts";
import { generator } from "../storage/random.ts";

const word = (n: number): Hex => pad(toHex(n));
const account = (n: number): Address => getAddress(pad(toHex(n), { size: 20 }));
const dataset = word(0xda7a);

type Args = Record<string, unknown>;

/** An event as the follower decodes it; `fork` tells blocks of the same height apart. */
function event(
  contract: AssayEvent["contract"],
  eventName: string,
  args: Args,
  { block, log = 0, fork = 0 }: { block: number; log?: number; fork?: number },
): AssayEvent {
  return {
    contract,
    eventName,
    args,
    address: account(1),
    blockNumber: BigInt(block),
    blockHash: pad(toHex(block * 16 + fork)),
    transactionHash: word(block),
    transactionIndex: 0,
    logIndex: log,
  } as unknown as AssayEvent;
}

type Place = { block: number; log?: number; fork?: number };

const placed = (bundle: number, operator: number, place: Place): AssayEvent =>
  event(
    "BundleRegistry",
    "BundlePlaced",
    {
      bundleId: word(bundle),
      datasetId: dataset,
      bundleIndex: bundle,
      operator: account(operator),
      since: place.block,
      repair: false,
    },
    place,
  );
const vacated = (bundle: number, operator: number, place: Place): AssayEvent =>
  event("BundleRegistry", "BundleVacated", { bundleId: word(bundle), operator: account(operator) }, place);
const surrendered = (bundle: number, operator: number, place: Place): AssayEvent =>
  event(
    "BundleRegistry",
    "BundleSurrendered",
    { bundleId: word(bundle), operator: account(operator) },
    place,
  );
const released = (bundle: number, operator: number, place: Place): AssayEvent =>
  event("BundleRegistry", "BundleReleased", { bundleId: word(bundle), operator: account(operator) }, place);
const anchored = (place: Place): AssayEvent =>
  event(
    "DatasetRegistry",
    "DatasetAnchored",
    {
      datasetId: dataset,
      owner: account(9),
      manifestDigest: word(1),
      manifestHash: word(2),
      shape: { k: 2, n: 3 },
    },
    place,
  );

describe("the ledger", () => {
  let state: State;
  let ledger: Ledger;

  beforeEach(() => {
    state = openState({ path: ":memory:", schemas: [ledgerSchema] });
    ledger = new Ledger(state);
  });

  const apply = (...events: AssayEvent[]) => {
    for (const each of events) ledgerHandler.applied(each, state);
  };
  const remove = (...events: AssayEvent[]) => {
    for (const each of events) ledgerHandler.removed(each, state);
  };
  const holders = () =>
    ledger
      .holdings()
      .map(({ bundleIndex, operator }) => [bundleIndex, Number(operator)])
      .sort();

  it("knows the latest holder of each bundle", () => {
    apply(
      placed(1, 10, { block: 1 }),
      placed(2, 11, { block: 1, log: 1 }),
      vacated(1, 10, { block: 2 }),
      placed(1, 12, { block: 3 }),
    );
    assert.deepEqual(holders(), [
      [1, 12],
      [2, 11],
    ]);
    assert.deepEqual(
      ledger.holdingsOf(account(12).toLowerCase() as Address).map(({ since }) => since),
      [3],
      "however the address is written",
    );
    assert.deepEqual(ledger.holdingsOf(account(10)), []);
    assert.equal(ledger.holdersOf(dataset).length, 2);
    assert.equal(ledger.holdersOf(word(0)).length, 0);
  });

  it("orders events of one block by their place in it", () => {
    apply(
      placed(1, 12, { block: 2, log: 7 }),
      vacated(1, 10, { block: 2, log: 6 }),
      placed(1, 10, { block: 1 }),
    );
    assert.deepEqual(holders(), [[1, 12]]);
    assert.deepEqual(ledger.vacancies(), []);
  });

  it("lists bundles that lost their holder, however, but not those that were released", () => {
    apply(
      placed(1, 10, { block: 1 }),
      placed(2, 11, { block: 1, log: 1 }),
      placed(3, 12, { block: 1, log: 2 }),
    );
    apply(vacated(1, 10, { block: 2 }), released(3, 12, { block: 2, log: 3 }));
    // A surrender emits both, in this order.
    apply(surrendered(2, 11, { block: 2, log: 1 }), vacated(2, 11, { block: 2, log: 2 }));
    assert.deepEqual(holders(), []);
    assert.deepEqual(
      ledger.vacancies().map(({ bundleId, datasetId, bundleIndex }) => [bundleId, datasetId, bundleIndex]),
      [
        [word(1), dataset, 1],
        [word(2), dataset, 2],
      ],
    );
  });

  it("gives the holder back when a reorganisation takes the slash away", () => {
    apply(placed(1, 10, { block: 1 }), vacated(1, 10, { block: 2 }), placed(1, 12, { block: 3 }));
    remove(placed(1, 12, { block: 3 }));
    assert.deepEqual(
      ledger.vacancies().map(({ bundleIndex }) => bundleIndex),
      [1],
    );
    remove(vacated(1, 10, { block: 2 }));
    assert.deepEqual(holders(), [[1, 10]]);
    assert.deepEqual(ledger.vacancies(), []);
    remove(placed(1, 10, { block: 1 }));
    assert.deepEqual(holders(), []);
  });

  it("counts an event that two forks share once, and keeps it while one of them has it", () => {
    const here = placed(1, 10, { block: 5 });
    const there = placed(1, 10, { block: 5, fork: 1 });
    apply(here, here, there);
    assert.equal(ledger.holdings().length, 1);
    remove(here);
    assert.deepEqual(holders(), [[1, 10]]);
    remove(there);
    assert.deepEqual(holders(), []);
  });

  it("ends in the same state whatever detours reorganisations take", () => {
    const random = generator(7);
    for (let round = 0; round < 30; round++) {
      const detour = openState({ path: ":memory:", schemas: [ledgerSchema] });
      const straight = openState({ path: ":memory:", schemas: [ledgerSchema] });
      const chain: AssayEvent[] = [];
      for (let step = 0; step < 40; step++) {
        if (chain.length > 0 && random.integer(3) === 0) {
          const depth = 1 + random.integer(Math.min(5, chain.length));
          for (let i = 0; i < depth; i++) ledgerHandler.removed(chain.pop()!, detour);
        }
        const place = { block: chain.length + 1, fork: random.integer(16) };
        const make = [placed, placed, vacated, released][random.integer(4)]!;
        const next = make(random.integer(3), random.integer(5) + 1, place);
        chain.push(next);
        ledgerHandler.applied(next, detour);
      }
      for (const each of chain) ledgerHandler.applied(each, straight);
      const sorted = <T>(rows: readonly T[]) => rows.map((row) => JSON.stringify(row)).sort();
      const [a, b] = [new Ledger(detour), new Ledger(straight)];
      assert.deepEqual(sorted(a.holdings()), sorted(b.holdings()));
      assert.deepEqual(sorted(a.vacancies()), sorted(b.vacancies()));
      detour.close();
      straight.close();
    }
  });

  it("knows anchored datasets until their anchor is taken back", () => {
    apply(anchored({ block: 1 }));
    assert.deepEqual(ledger.dataset(dataset), {
      datasetId: dataset,
      owner: account(9),
      manifestDigest: word(1),
      manifestHash: word(2),
      k: 2,
      n: 3,
    });
    remove(anchored({ block: 1 }));
    assert.equal(ledger.dataset(dataset), undefined);
    apply(anchored({ block: 1, fork: 1 }));
    assert.equal(ledger.dataset(dataset)?.n, 3);
  });

  it("keeps the bundles of a cover in the order of its registration", () => {
    const bundleIds = [word(3), word(1), word(2)];
    const registered = event(
      "BundleRegistry",
      "CoverRegistered",
      { coverId: word(77), operator: account(10), root: 5n, bundleIds },
      { block: 4 },
    );
    assert.equal(ledger.coverBundles(word(77)), undefined);
    apply(registered);
    assert.deepEqual(ledger.coverBundles(word(77)), bundleIds);
  });

  it("lists open retrieval challenges soonest deadline first, and those whose deadline has passed against who holds the bundle still", () => {
    const asked = (challengeId: bigint, operator: number, deadline: bigint) =>
      event(
        "RetrievalChallenges",
        "RetrievalChallenged",
        { challengeId, bundleId: word(operator), operator: account(operator), cellIndex: 7, deadline },
        { block: Number(challengeId) },
      );
    const placed = (operator: number) => {
      const args = {
        bundleId: word(operator),
        datasetId: word(1),
        bundleIndex: 0,
        operator: account(operator),
      };
      return event("BundleRegistry", "BundlePlaced", { ...args, since: 1 }, { block: operator - 10 });
    };
    const left = event("BundleRegistry", "BundleVacated", { bundleId: word(10) }, { block: 12 });
    apply(placed(10), placed(11));
    const published = event("RetrievalChallenges", "CellPublished", { challengeId: 2n }, { block: 9 });
    apply(asked(1n, 10, 300n), asked(2n, 10, 100n), asked(3n, 11, 200n));
    const openOf = (operator: number) =>
      ledger.openRetrievals(account(operator)).map(({ challengeId, deadline }) => [challengeId, deadline]);
    const late = (now: bigint) => ledger.lateRetrievals(now).map(({ challengeId }) => challengeId);
    assert.deepEqual(openOf(10), [
      [2n, 100n],
      [1n, 300n],
    ]);
    assert.deepEqual(late(100n), []);
    assert.deepEqual(late(201n), [2n, 3n]);
    apply(published);
    assert.deepEqual(openOf(10), [[1n, 300n]]);
    assert.deepEqual(late(301n), [3n, 1n]);
    remove(published);
    assert.deepEqual(late(301n), [2n, 3n, 1n]);
    apply(left);
    assert.deepEqual(late(301n), [3n]);
    assert.deepEqual(
      ledger.retrievalsOf(word(10)).map(({ challengeId }) => challengeId),
      [2n, 1n],
    );
    remove(left);
    assert.deepEqual(late(301n), [2n, 3n, 1n]);
  });

  it("lists bundles that were never placed of segments that can be read, and no others", () => {
    const unplaced = () => ledger.unplaced().map(({ bundleIndex }) => bundleIndex);
    /** An event of the bundle that the dataset has at this place. */
    const real = (made: AssayEvent, index: number) =>
      ({ ...made, args: { ...made.args, bundleId: bundleId(dataset, index) } }) as AssayEvent;
    apply(
      anchored({ block: 1 }),
      real(placed(0, 10, { block: 2 }), 0),
      real(placed(3, 10, { block: 2, log: 1 }), 3),
    );
    assert.deepEqual(unplaced(), []);
    apply(real(placed(1, 11, { block: 3 }), 1));
    assert.deepEqual(unplaced(), [2]);
    // It had a holder.
    apply(real(placed(2, 12, { block: 4 }), 2), real(vacated(2, 12, { block: 5 }), 2));
    assert.deepEqual(unplaced(), []);
    assert.equal(ledger.vacancies().length, 1);
  });

  it("lets events of other contracts pass", () => {
    apply(event("Staking", "Slashed", {}, { block: 1 }));
    remove(event("Staking", "Slashed", {}, { block: 1 }));
    assert.deepEqual(ledger.holdings(), []);
  });
});
