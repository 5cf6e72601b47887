import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import hre from "hardhat";
import { type Address, encodeFunctionData } from "viem";
import { ask, type Contract, deployGoverned, isRefused, type Power, powersOf } from "../ignition/deployed.ts";

/** Names of the contracts in the document, by what the deployment calls them. */
const names: Record<string, string> = {
  access: "SealedAccess",
  audit: "StorageAudit",
  beacon: "VrfBeacon",
  bundles: "BundleRegistry",
  certificates: "ModelCertificate",
  committee: "Committee",
  datasets: "DatasetRegistry",
  escrow: "Escrow",
  fraud: "EncodingFraud",
  game: "DisputeGame",
  instalments: "Instalments",
  jobs: "JobRegistry",
  market: "Market",
  memberGame: "MemberGame",
  resultFraud: "ResultFraud",
  retrieval: "RetrievalChallenges",
  rewards: "WorkerRewards",
  shortfalls: "ResultShortfalls",
  staking: "Staking",
  token: "AssayToken",
  validators: "ValidatorSet",
  verifier: "VerifierRegistry",
  administration: "administration",
  guardian: "guardian",
};

type Row = { contract: string; functions: string[]; holder: string; delay: string };

/** Rows of the table of powers in SECURITY.md. */
function written(): Row[] {
  const text = readFileSync(join(hre.config.paths.root, "SECURITY.md"), "utf8");
  const section = text.split(/^## /m).find((each) => each.startsWith("Powers\n"))!;
  const lines = section.split("\n").filter((line) => line.startsWith("| `"));
  return lines.map((line) => {
    const [contract, functions, holder, delay] = line.slice(2, -2).split(" | ");
    const listed = [...functions!.matchAll(/`(\w+)`/g)].map(([, name]) => name!);
    return {
      contract: contract!.replaceAll("`", ""),
      functions: listed.sort(),
      holder: holder!,
      delay: delay!,
    };
  });
}

/** After which time a power has its effect: what no party holds, and what roles fix, has none. */
function delayOf(holder: string): string {
  return holder.startsWith("administration") ? "7 days" : "none";
}

describe("the table of powers in SECURITY.md", async () => {
  it("is what the deployed contracts answer to everybody who could have a power", async () => {
    const governed = await deployGoverned("vrf");
    const { contracts, coordinator, parties } = governed;
    const all = contracts as unknown as Record<string, Contract>;
    const { access, administration } = contracts;
    const through = ({ to, data }: Pick<Power, "to" | "data">) => ({
      to: access.address,
      data: encodeFunctionData({ abi: access.abi, functionName: "execute", args: [to, data] }),
    });
    const holders: [string, Address][] = [
      ["deployer", parties.deployer],
      ["proposer", parties.proposer],
      ["executor", parties.executor],
      ["Chainlink's coordinator", coordinator.address],
      ...Object.entries(all).map(([name, { address }]): [string, Address] => {
        const known = names[name] ?? name;
        return [name === "administration" || name === "guardian" ? known : `\`${known}\``, address];
      }),
    ];
    const rows = new Map<string, Row>();
    for (const power of await powersOf(governed)) {
      const able: string[] = [];
      for (const [name, address] of holders) {
        if (!isRefused(await ask(governed, address, power))) able.push(name);
      }
      // What the contract of all roles may call, it calls for whoever has the role.
      const asAccess = able.indexOf("`SealedAccess`");
      if (asAccess >= 0) able.splice(asAccess, 1);
      if (asAccess >= 0 && !isRefused(await ask(governed, administration.address, through(power)))) {
        able.push("administration through `SealedAccess.execute`");
      }
      if (able.length === 0) continue;
      const contract = names[power.contract] ?? power.contract;
      const holder = able.join(", ");
      const key = `${contract} ${holder}`;
      const delay = [...new Set(able.map(delayOf))].join("; ");
      const row = rows.get(key) ?? { contract, functions: [], holder, delay };
      row.functions.push(power.name);
      row.functions.sort();
      rows.set(key, row);
    }
    const line = ({ contract, functions, holder, delay }: Row) =>
      `| \`${contract}\` | ${functions.map((name) => `\`${name}\``).join(", ")} | ${holder} | ${delay} |`;
    const sorted = (list: Iterable<Row>) => [...list].map(line).sort();
    assert.deepEqual(sorted(written()), sorted(rows.values()));
  });
});
