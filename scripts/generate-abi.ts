// Writes keepers/src/chain/abi/*.ts from the compiled contracts: `node scripts/generate-abi.ts [--artifacts <folder>]`.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

type Parameter = { name: string; type: string; indexed?: boolean; components?: Parameter[] };
type Item = {
  type: string;
  name?: string;
  stateMutability?: string;
  anonymous?: boolean;
  inputs?: Parameter[];
  outputs?: Parameter[];
};

/** Contracts that keepers talk to, with the interface that stands in while there is no implementation. */
const contracts: readonly { name: string; fallback?: string }[] = [
  { name: "AssayToken" },
  { name: "Staking", fallback: "IStaking" },
  { name: "DatasetRegistry", fallback: "IDatasetRegistry" },
  { name: "BundleRegistry", fallback: "IBundleRegistry" },
  { name: "StorageAudit", fallback: "IStorageAudit" },
  { name: "RetrievalChallenges", fallback: "IRetrievalChallenges" },
  { name: "EncodingFraud", fallback: "IEncodingFraud" },
  { name: "Escrow", fallback: "IEscrow" },
  { name: "JobRegistry", fallback: "IJobRegistry" },
  { name: "Instalments", fallback: "IInstalments" },
  { name: "DisputeGame", fallback: "IDisputeGame" },
  // The game asks these; keepers read their errors.
  { name: "DescentRules" },
  { name: "ElementRules" },
  { name: "SumRules" },
  { name: "RangeRules" },
  { name: "InputRules" },
  { name: "VoidRules" },
  { name: "ModelCertificate", fallback: "IModelCertificate" },
  { name: "Market", fallback: "IMarket" },
  { name: "ValidatorSet", fallback: "IValidatorSet" },
  { name: "Committee", fallback: "IAttestation" },
  { name: "WorkerRewards", fallback: "IWorkerRewards" },
  { name: "VerifierRegistry", fallback: "IVerifierRegistry" },
  { name: "CommitRevealBeacon", fallback: "IRandomnessBeacon" },
  { name: "DrandBeacon", fallback: "IRandomnessBeacon" },
  { name: "VrfBeacon", fallback: "IRandomnessBeacon" },
  // What the three beacons have in common: readers of seeds need no more.
  { name: "RandomnessBeacon", fallback: "IRandomnessBeacon" },
];

const header =
  "// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.";

const kebab = (name: string) => name.replace(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase();
const variable = (name: string) => `${name[0]?.toLowerCase()}${name.slice(1)}Abi`;

function typeOf(parameter: Parameter): string {
  if (!parameter.type.startsWith("tuple")) return parameter.type;
  const inner = (parameter.components ?? []).map((each) => declaration(each)).join(", ");
  return `(${inner})${parameter.type.slice("tuple".length)}`;
}

function declaration(parameter: Parameter): string {
  return [typeOf(parameter), parameter.indexed ? "indexed" : "", parameter.name].filter(Boolean).join(" ");
}

const list = (parameters: Parameter[] = []) => parameters.map(declaration).join(", ");

/** The human-readable form of an ABI item, as viem's `parseAbi` reads it; undefined for what keepers never use. */
function signature(item: Item): string | undefined {
  if (item.type === "event")
    return `event ${item.name}(${list(item.inputs)})${item.anonymous ? " anonymous" : ""}`;
  if (item.type === "error") return `error ${item.name}(${list(item.inputs)})`;
  if (item.type !== "function") return undefined;
  const mutability = item.stateMutability === "nonpayable" ? "" : ` ${item.stateMutability}`;
  const returns = item.outputs?.length ? ` returns (${list(item.outputs)})` : "";
  return `function ${item.name}(${list(item.inputs)})${mutability}${returns}`;
}

function findArtifact(folder: string, file: string): string | undefined {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    const path = join(folder, entry.name);
    if (entry.isFile() && entry.name === file) return path;
    const below = entry.isDirectory() ? findArtifact(path, file) : undefined;
    if (below !== undefined) return below;
  }
  return undefined;
}

function renderAbi(name: string, items: readonly Item[]): string {
  const order = ["function", "event", "error"];
  const lines = order
    .flatMap((type) => items.filter((item) => item.type === type))
    .flatMap((item) => signature(item) ?? [])
    .map((line) => `  "${line}",`);
  const body = `export const ${variable(name)} = parseAbi([\n${lines.join("\n")}\n]);\n`;
  return `${header}\nimport { parseAbi } from "viem";\n\n${body}`;
}

function renderIndex(names: readonly string[]): string {
  const sorted = [...names].sort((a, b) => (kebab(a) < kebab(b) ? -1 : 1));
  const imports = sorted.map((name) => `import { ${variable(name)} } from "./${kebab(name)}.ts";`);
  const entries = names.map((name) => `  ${name}: ${variable(name)},`);
  return [
    header,
    ...imports,
    "",
    "/** ABI of every contract that keepers talk to, by the contract's name. */",
    "export const abis = {",
    ...entries,
    "} as const;",
    "",
    "export type ContractName = keyof typeof abis;",
    "",
  ].join("\n");
}

/**
 * The text of every generated file, by its name in keepers/src/chain/abi.
 * `artifacts` is Hardhat's artifacts folder of a build that holds all contracts.
 */
export function generateAbis(artifacts: string): Map<string, string> {
  const files = new Map<string, string>();
  const sources = join(artifacts, "contracts");
  for (const { name, fallback } of contracts) {
    const path =
      findArtifact(sources, `${name}.json`) ?? (fallback && findArtifact(sources, `${fallback}.json`));
    if (!path) throw new Error(`${artifacts} has no artifact of ${name}: run "npm run build" first`);
    const { abi } = JSON.parse(readFileSync(path, "utf8")) as { abi: Item[] };
    files.set(`${kebab(name)}.ts`, renderAbi(name, abi));
  }
  files.set("index.ts", renderIndex(contracts.map(({ name }) => name)));
  return files;
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname, "..");
  const { values } = parseArgs({
    options: { artifacts: { type: "string", default: join(root, "artifacts") } },
  });
  if (!existsSync(values.artifacts)) {
    throw new Error(`no compiled contracts in ${values.artifacts}: run "npm run build" first`);
  }
  const target = join(root, "keepers/src/chain/abi");
  mkdirSync(target, { recursive: true });
  for (const [name, text] of generateAbis(values.artifacts)) writeFileSync(join(target, name), text);
}
