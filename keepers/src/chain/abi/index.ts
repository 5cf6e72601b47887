// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.
import { assayTokenAbi } from "./assay-token.ts";
import { bundleRegistryAbi } from "./bundle-registry.ts";
import { commitRevealBeaconAbi } from "./commit-reveal-beacon.ts";
import { datasetRegistryAbi } from "./dataset-registry.ts";
import { drandBeaconAbi } from "./drand-beacon.ts";
import { encodingFraudAbi } from "./encoding-fraud.ts";
import { randomnessBeaconAbi } from "./randomness-beacon.ts";
import { retrievalChallengesAbi } from "./retrieval-challenges.ts";
import { stakingAbi } from "./staking.ts";
import { storageAuditAbi } from "./storage-audit.ts";
import { verifierRegistryAbi } from "./verifier-registry.ts";
import { vrfBeaconAbi } from "./vrf-beacon.ts";

/** ABI of every contract that keepers talk to, by the contract's name. */
export const abis = {
  AssayToken: assayTokenAbi,
  Staking: stakingAbi,
  DatasetRegistry: datasetRegistryAbi,
  BundleRegistry: bundleRegistryAbi,
  StorageAudit: storageAuditAbi,
  RetrievalChallenges: retrievalChallengesAbi,
  EncodingFraud: encodingFraudAbi,
  VerifierRegistry: verifierRegistryAbi,
  CommitRevealBeacon: commitRevealBeaconAbi,
  DrandBeacon: drandBeaconAbi,
  VrfBeacon: vrfBeaconAbi,
  RandomnessBeacon: randomnessBeaconAbi,
} as const;

export type ContractName = keyof typeof abis;
