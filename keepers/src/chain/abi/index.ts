// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.
import { assayTokenAbi } from "./assay-token.ts";
import { bundleRegistryAbi } from "./bundle-registry.ts";
import { commitRevealBeaconAbi } from "./commit-reveal-beacon.ts";
import { committeeAbi } from "./committee.ts";
import { datasetRegistryAbi } from "./dataset-registry.ts";
import { descentRulesAbi } from "./descent-rules.ts";
import { disputeGameAbi } from "./dispute-game.ts";
import { drandBeaconAbi } from "./drand-beacon.ts";
import { elementRulesAbi } from "./element-rules.ts";
import { encodingFraudAbi } from "./encoding-fraud.ts";
import { escrowAbi } from "./escrow.ts";
import { inputRulesAbi } from "./input-rules.ts";
import { instalmentsAbi } from "./instalments.ts";
import { jobRegistryAbi } from "./job-registry.ts";
import { marketAbi } from "./market.ts";
import { memberGameAbi } from "./member-game.ts";
import { modelCertificateAbi } from "./model-certificate.ts";
import { randomnessBeaconAbi } from "./randomness-beacon.ts";
import { rangeRulesAbi } from "./range-rules.ts";
import { resultFraudAbi } from "./result-fraud.ts";
import { resultShortfallsAbi } from "./result-shortfalls.ts";
import { retrievalChallengesAbi } from "./retrieval-challenges.ts";
import { stakingAbi } from "./staking.ts";
import { storageAuditAbi } from "./storage-audit.ts";
import { sumRulesAbi } from "./sum-rules.ts";
import { validatorSetAbi } from "./validator-set.ts";
import { verifierRegistryAbi } from "./verifier-registry.ts";
import { voidRulesAbi } from "./void-rules.ts";
import { vrfBeaconAbi } from "./vrf-beacon.ts";
import { workerRewardsAbi } from "./worker-rewards.ts";

/** ABI of every contract that keepers talk to, by the contract's name. */
export const abis = {
  AssayToken: assayTokenAbi,
  Staking: stakingAbi,
  DatasetRegistry: datasetRegistryAbi,
  BundleRegistry: bundleRegistryAbi,
  StorageAudit: storageAuditAbi,
  RetrievalChallenges: retrievalChallengesAbi,
  EncodingFraud: encodingFraudAbi,
  Escrow: escrowAbi,
  JobRegistry: jobRegistryAbi,
  Instalments: instalmentsAbi,
  ResultShortfalls: resultShortfallsAbi,
  ResultFraud: resultFraudAbi,
  DisputeGame: disputeGameAbi,
  MemberGame: memberGameAbi,
  DescentRules: descentRulesAbi,
  ElementRules: elementRulesAbi,
  SumRules: sumRulesAbi,
  RangeRules: rangeRulesAbi,
  InputRules: inputRulesAbi,
  VoidRules: voidRulesAbi,
  ModelCertificate: modelCertificateAbi,
  Market: marketAbi,
  ValidatorSet: validatorSetAbi,
  Committee: committeeAbi,
  WorkerRewards: workerRewardsAbi,
  VerifierRegistry: verifierRegistryAbi,
  CommitRevealBeacon: commitRevealBeaconAbi,
  DrandBeacon: drandBeaconAbi,
  VrfBeacon: vrfBeaconAbi,
  RandomnessBeacon: randomnessBeaconAbi,
} as const;

export type ContractName = keyof typeof abis;
