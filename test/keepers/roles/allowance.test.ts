import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { withAllowance } from "../../../keepers/src/roles/storage-node/allowance.ts";
import type { Reads } from "./doubles.ts";
import { LiedTo } from "./lied-to.ts";

const enough: Reads = { AssayToken: { allowance: () => 100n } };
const tooLittle: Reads = { AssayToken: { allowance: () => 99n } };

describe("what a contract may pull from a keeper's account", () => {
  let scene: LiedTo;

  beforeEach(() => {
    scene = new LiedTo(enough);
  });

  /** What was sent for a pull of 100, but for the end that makes a key one of its own. */
  async function pulled(): Promise<string[]> {
    const pull = { key: "bid:1", spender: "Market", amount: 100n } as const;
    await withAllowance(await scene.context(), pull, async () => undefined);
    return scene.keys.map((key) => key.split(":").slice(0, 2).join(":"));
  }

  it("attack: is approved although the endpoint that is asked first says that it is enough", async () => {
    scene.tell(tooLittle);
    scene.lie(enough);
    assert.deepEqual(await pulled(), ["approve-bid:1"]);
  });

  it("attack: is approved although one of only two says that it is enough", async () => {
    scene.tell(tooLittle);
    scene.lie(enough);
    scene.leaveTwo();
    assert.deepEqual(await pulled(), ["approve-bid:1"]);
  });

  it("is left alone when all endpoints say that it is enough", async () => {
    assert.deepEqual(await pulled(), []);
  });
});
