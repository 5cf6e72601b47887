import type { AssayEvent } from "../../chain/contracts.ts";
import { claimNameOf } from "../../core/market/instalments.ts";

/** What an event is about, by ids as indexes write them: numbers in decimal, bytes in lower-case hexadecimal. */
export type Subjects = {
  readonly job?: string;
  readonly challenge?: string;
  readonly operator?: string;
  readonly dataset?: string;
  readonly bundle?: string;
};

type Fields = {
  readonly jobId?: bigint;
  readonly challengeId?: bigint;
  readonly accusationId?: bigint;
  readonly datasetId?: string;
  readonly bundleId?: string;
  readonly operator?: string;
  readonly provider?: string;
  readonly challenger?: string;
  readonly accuser?: string;
  readonly to?: string;
  readonly id?: bigint;
  readonly member?: bigint;
  readonly dutyId?: string;
};

/**
 * Says of each event which job, dispute, operator, dataset and bundle it belongs to: what the subgraph's mappings say, found
 * without them.
 */
export class Attribution {
  readonly #jobOfChallenge = new Map<string, string>();
  readonly #jobOfAccusation = new Map<bigint, string>();
  readonly #retrievals = new Map<string, Pick<Subjects, "dataset" | "bundle" | "operator">>();
  readonly #validators = new Map<string, string>();
  readonly #bundles = new Set<string>();

  constructor(events: readonly AssayEvent[]) {
    for (const { contract, eventName, args } of events) {
      const { jobId, challengeId, datasetId, bundleId, operator, id } = args as Fields;
      if (contract === "DisputeGame" && eventName === "Challenged")
        this.#jobOfChallenge.set(String(challengeId), jobOfClaim(jobId!));
      if (contract === "MemberGame" && eventName === "Accused")
        this.#jobOfAccusation.set(args.accusationId, String(args.jobId));
      if (contract === "RetrievalChallenges" && eventName === "RetrievalChallenged")
        this.#retrievals.set(String(challengeId), { bundle: bundleId, operator: operator!.toLowerCase() });
      // An owner need not be an operator, and a bundle that was never placed is none that an index knows.
      if (contract === "RetrievalChallenges" && eventName === "OwnerChallenged")
        this.#retrievals.set(String(challengeId), { dataset: datasetId });
      if (contract === "ValidatorSet" && eventName === "Enrolled")
        this.#validators.set(String(id), operator!.toLowerCase());
      if (contract === "BundleRegistry" && eventName === "BundlePlaced") this.#bundles.add(bundleId!);
    }
  }

  /** Operator behind a validator's number. */
  operatorOf(validator: bigint): string | undefined {
    return this.#validators.get(String(validator));
  }

  subjectsOf(event: AssayEvent): Subjects {
    const fields = event.args as Fields;
    const operator = (fields.operator ?? fields.provider)?.toLowerCase();
    const job = fields.jobId === undefined ? undefined : String(fields.jobId);
    switch (event.contract) {
      case "Market":
        return event.eventName === "OrderPosted" ? {} : { job, operator };
      case "JobRegistry":
        return event.eventName === "JobOpened"
          ? { job, dataset: event.args.order.problem.datasetId }
          : { job, operator };
      case "WorkerRewards":
      case "Instalments":
        return { job, operator };
      case "Escrow":
        return event.eventName === "PricePaid" || event.eventName === "FeePaid"
          ? { job, operator: fields.to!.toLowerCase() }
          : { job };
      case "Committee":
        return event.eventName === "MemberSlashed"
          ? { job, operator: this.operatorOf(fields.member!) }
          : { job };
      case "ModelCertificate":
        return event.eventName === "CertificateIssued" ? { job } : {};
      case "ResultFraud":
        return {
          job: jobOfClaim(event.args.claimId),
          dataset: event.args.resultId,
          operator: event.args.claimant.toLowerCase(),
        };
      case "ResultShortfalls":
        return { job: jobOfClaim(event.args.claimId), dataset: event.args.resultId };
      case "DisputeGame":
        return this.#ofDispute(event.eventName, fields);
      case "MemberGame":
        return {
          job: job ?? this.#jobOfAccusation.get(fields.accusationId ?? 0n),
          operator: fields.accuser?.toLowerCase(),
        };
      case "Staking":
        return { operator };
      case "ValidatorSet":
        return { operator: operator ?? (fields.id === undefined ? undefined : this.operatorOf(fields.id)) };
      case "DatasetRegistry":
        return { dataset: fields.datasetId, operator };
      case "EncodingFraud":
        return { dataset: fields.datasetId };
      case "BundleRegistry":
        return { dataset: fields.datasetId, bundle: fields.bundleId, operator };
      case "StorageAudit":
        return this.#ofAudit(event.eventName, fields, operator);
      case "RetrievalChallenges":
        return fields.challengeId === undefined
          ? {}
          : (this.#retrievals.get(String(fields.challengeId)) ?? {});
      default:
        return {};
    }
  }

  #ofDispute(name: string, { jobId, challengeId, challenger }: Fields): Subjects {
    if (challengeId === undefined) return jobId === undefined ? {} : { job: jobOfClaim(jobId) };
    const challenge = String(challengeId);
    const isNamed = ["Challenged", "ProviderConvicted", "RewardPaid"].includes(name);
    const operator = isNamed ? challenger!.toLowerCase() : undefined;
    return { job: this.#jobOfChallenge.get(challenge), challenge, operator };
  }

  #ofAudit(name: string, { bundleId, dutyId }: Fields, operator: string | undefined): Subjects {
    if (!["AuditAnswered", "AuditMissed", "FeesClaimed"].includes(name)) return {};
    const duty = bundleId ?? dutyId!;
    // A duty is a bundle, or a cover that stands for many.
    return this.#bundles.has(duty) ? { bundle: duty, operator } : { operator };
  }
}

function jobOfClaim(claimId: bigint): string {
  return String(claimNameOf(claimId).jobId);
}
