import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { encodeErrorResult, type Hex, parseAbi, toFunctionSelector, verifyTypedData } from "viem";
import { abis } from "../../../keepers/src/chain/abi/index.ts";
import { type AssayEvent, addressOf, encodeCall } from "../../../keepers/src/chain/contracts.ts";
import {
  parseDeployment,
  readDeployment,
  readIgnitionAddresses,
  writeDeployment,
} from "../../../keepers/src/chain/deployment.ts";
import { receiptTypedData, recoverReceipt, signReceipt } from "../../../keepers/src/chain/receipt.ts";
import { explainRevert } from "../../../keepers/src/chain/revert.ts";
import { generateAbis } from "../../../scripts/generate-abi.ts";
import { accounts } from "./embedded-chain.ts";
import { deploymentAt } from "./fixtures.ts";

const root = resolve(import.meta.dirname, "../../..");
const staking = "0x5FbDB2315678afecb367f032d93F642f64180aa3";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "assay-deployment-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe("ABIs", () => {
  const artifacts = process.env.ASSAY_ARTIFACTS ?? join(root, "artifacts");
  const skip = !existsSync(artifacts) && "the contracts are not compiled";

  it("are those of the compiled contracts", { skip }, () => {
    const generated = generateAbis(artifacts);
    const target = join(root, "keepers/src/chain/abi");
    assert.deepEqual(readdirSync(target).sort(), [...generated.keys()].sort());
    for (const [name, text] of generated) {
      assert.equal(
        readFileSync(join(target, name), "utf8"),
        text,
        `${name}: run node scripts/generate-abi.ts`,
      );
    }
  });

  it("give the selectors that the interfaces state", () => {
    const selector = (signature: string) =>
      `0x${Buffer.from(keccak_256(Buffer.from(signature)))
        .toString("hex")
        .slice(0, 8)}`;
    const find = (name: keyof typeof abis, fn: string) =>
      (abis[name] as readonly { type: string; name?: string }[]).find(
        (item) => item.type === "function" && item.name === fn,
      ) as never;
    const receipts = "((bytes32,uint32,bytes32,bytes32,address,uint64,uint32),bytes32[],bytes,bytes)[]";
    assert.equal(toFunctionSelector(find("BundleRegistry", "place")), selector(`place(${receipts})`));
    assert.equal(
      toFunctionSelector(find("StorageAudit", "answer")),
      selector("answer(bytes32,uint32,uint256,uint256[8])"),
    );
  });

  it("type calls and events", () => {
    const deployment = deploymentAt(staking);
    const { to, data, value } = encodeCall(deployment, "Staking", "stake", [5n]);
    assert.deepEqual([to, data.slice(-2), value], [staking, "05", 0n]);
    // @ts-expect-error amounts are big integers
    assert.throws(() => encodeCall(deployment, "Staking", "stake", ["five"]));
    // @ts-expect-error there is no such function
    assert.throws(() => encodeCall(deployment, "Staking", "steak", [5n]));
    const narrowed = (event: AssayEvent): number | undefined => {
      if (event.contract !== "BundleRegistry" || event.eventName !== "BundlePlaced") return undefined;
      return event.args.bundleIndex;
    };
    assert.equal(
      narrowed({
        contract: "BundleRegistry",
        eventName: "BundlePlaced",
        args: { bundleIndex: 3 },
      } as AssayEvent),
      3,
    );
  });
});

describe("deployment", () => {
  const deployment = deploymentAt(staking, 2n ** 60n);

  it("is read as it was written", () => {
    const path = writeDeployment(deployment, folder);
    assert.equal(path, join(folder, "31337.json"));
    assert.deepEqual(readDeployment({ chainId: 31337, folder }), deployment);
    assert.deepEqual(readdirSync(folder), ["31337.json"], "no temporary file is left");
  });

  it("names the beacon in use by one name, whatever its kind", () => {
    assert.equal(addressOf(deployment, "RandomnessBeacon"), deployment.addresses.CommitRevealBeacon);
    assert.throws(() => addressOf(deployment, "VrfBeacon"), /has no VrfBeacon/);
  });

  it("is refused with every fault named", () => {
    const { Staking: _, ...others } = deployment.addresses;
    const bad = {
      ...deployment,
      startBlock: -1,
      beacon: "DrandBeacon",
      addresses: { ...others, StorageAudit: "0x12" },
    };
    assert.throws(
      () => parseDeployment(bad),
      (error: Error) =>
        /addresses.Staking/.test(error.message) &&
        /addresses.StorageAudit: not an address/.test(error.message) &&
        /startBlock/.test(error.message),
    );
    const other = { ...deployment, startBlock: 0, beacon: "DrandBeacon" };
    assert.throws(() => parseDeployment(other), /the beacon in use has no address/);
    for (const value of [null, [], "x", {}])
      assert.throws(() => parseDeployment(value), /not a valid deployment/);
  });

  it("of another chain, missing or broken is refused with what to do", () => {
    const file = writeDeployment(deployment, folder);
    assert.throws(() => readDeployment({ chainId: 1, file }), /is a deployment on chain 31337, not 1/);
    assert.throws(
      () => readDeployment({ chainId: 2, folder }),
      (error: Error & { next?: string }) => {
        assert.match(String(error.next), /assay deploy/);
        return true;
      },
    );
    const broken = join(folder, "broken.json");
    writeFileSync(broken, "{");
    assert.throws(() => readDeployment({ chainId: 1, file: broken }), /not JSON/);
  });

  it("takes addresses over from Ignition, and refuses two for one contract", () => {
    const file = join(folder, "deployed_addresses.json");
    const { Staking, StorageAudit } = deployment.addresses;
    writeFileSync(
      file,
      JSON.stringify({
        "Staking#Staking": Staking.toLowerCase(),
        "Assay#StorageAudit": StorageAudit,
        "Access#Manager": Staking,
      }),
    );
    assert.deepEqual(readIgnitionAddresses(file), { Staking, StorageAudit });
    writeFileSync(file, JSON.stringify({ "A#Staking": Staking, "B#Staking": StorageAudit }));
    assert.throws(() => readIgnitionAddresses(file), /two addresses of Staking/);
    writeFileSync(file, JSON.stringify({ "A#Staking": "here" }));
    assert.throws(() => readIgnitionAddresses(file), /not a list of deployed addresses/);
  });
});

describe("receipt", () => {
  const domain = { chainId: 59141, bundleRegistry: staking } as const;
  const receipt = {
    datasetId: `0x${"01".repeat(32)}`,
    bundleIndex: 7,
    poseidonRoot: `0x${"02".repeat(32)}`,
    transportRoot: `0x${"03".repeat(32)}`,
    operator: accounts[0].address,
    validUntil: 1_800_000_000n,
    latestEnd: 4_000,
  } as const;

  it("is signed over the EIP-712 digest of the storage protocol, section 5", async () => {
    // Reference: the digest put together by hand from EIP-712.
    const keccak = (...parts: (string | Uint8Array)[]) =>
      keccak_256(Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part))));
    const word = (hex: string) => Buffer.from(hex.replace(/^0x/, "").padStart(64, "0"), "hex");
    const domainHash = keccak(
      keccak("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
      keccak("Assay BundleRegistry"),
      keccak("1"),
      word("e705"),
      word(staking),
    );
    const struct = keccak(
      keccak(
        "Receipt(bytes32 datasetId,uint32 bundleIndex,bytes32 poseidonRoot,bytes32 transportRoot,address operator,uint64 validUntil,uint32 latestEnd)",
      ),
      word(receipt.datasetId),
      word("07"),
      word(receipt.poseidonRoot),
      word(receipt.transportRoot),
      word(receipt.operator),
      word(receipt.validUntil.toString(16)),
      word(receipt.latestEnd.toString(16)),
    );
    const digest = Buffer.from(keccak(Buffer.from("1901", "hex"), domainHash, struct)).toString("hex");
    const expected = await accounts[0].sign({ hash: `0x${digest}` });
    const signature = await signReceipt(accounts[0], receipt, domain);
    assert.equal(signature, expected);
    assert.equal(await recoverReceipt(receipt, signature, domain), receipt.operator);
    assert.ok(
      await verifyTypedData({ ...receiptTypedData(receipt, domain), address: receipt.operator, signature }),
    );
  });

  it("does not recover to its operator on another chain, for another registry or with any field changed", async () => {
    const signature = await signReceipt(accounts[0], receipt, domain);
    const others = [
      recoverReceipt(receipt, signature, { ...domain, chainId: 1 }),
      recoverReceipt(receipt, signature, { ...domain, bundleRegistry: accounts[1].address }),
      recoverReceipt({ ...receipt, bundleIndex: 8 }, signature, domain),
      recoverReceipt({ ...receipt, validUntil: 1n }, signature, domain),
      recoverReceipt({ ...receipt, poseidonRoot: receipt.transportRoot }, signature, domain),
    ];
    for (const recovered of await Promise.all(others)) assert.notEqual(recovered, receipt.operator);
  });

  it("is not signed for somebody else, and a malformed signature is an error of its own", async () => {
    await assert.rejects(signReceipt(accounts[1], receipt, domain), /cannot sign a receipt of operator/);
    for (const bad of ["0x", "0x1234", `0x${"00".repeat(65)}`] as Hex[]) {
      await assert.rejects(recoverReceipt(receipt, bad, domain), /signature is malformed/);
    }
  });
});

describe("reasons of refusals", () => {
  const reverted = (data: Hex) => Object.assign(new Error("execution reverted"), { code: 3, data });
  const errors = parseAbi([
    "error TicketNotRipe(uint256 ticket, uint64 availableAt)",
    "error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)",
    "error Error(string message)",
    "error Panic(uint256 code)",
    "error NobodyKnowsThis(uint256 x)",
  ]);
  const encode = (errorName: string, args: readonly unknown[]) =>
    encodeErrorResult({ abi: errors, errorName, args } as never) as Hex;

  it("are put into words", () => {
    const cases: [Hex, RegExp][] = [
      [encode("TicketNotRipe", [7n, 9n]), /^ticket not ripe \(ticket 7, available at 9\)$/],
      [
        encode("ERC20InsufficientAllowance", [staking, 0n, 2n * 10n ** 18n]),
        /2 tokens are needed: approve it first/,
      ],
      [encode("Error", ["just no"]), /^just no$/],
      [encode("Panic", [0x11n]), /a number overflowed/],
      [encode("NobodyKnowsThis", [1n]), /unknown reason \(0x[0-9a-f]{8}\)/],
    ];
    for (const [data, expected] of cases)
      assert.match(String(explainRevert(reverted(data))?.reason), expected);
  });

  it("are found wherever a node puts them, and not seen where there is none", () => {
    const data = encode("TicketNotRipe", [7n, 9n]);
    const nested = new Error("outer", { cause: Object.assign(new Error("inner"), { data: { data } }) });
    assert.equal(explainRevert(nested)?.errorName, "TicketNotRipe");
    assert.match(String(explainRevert(reverted("0x"))?.reason), /without a reason/);
    assert.equal(explainRevert(new Error("connection reset")), undefined);
    assert.equal(explainRevert(undefined), undefined);
  });
});
