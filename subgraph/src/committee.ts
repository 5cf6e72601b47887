import { BigInt, ethereum } from "@graphprotocol/graph-ts";
import {
  AttemptFailed,
  CommitteeAsked,
  CommitteeAttested,
  CommitteeClosed,
  CommitteeDismissed,
  CommitteeDrawn,
  CommitteeSilent,
  DigestsRevealed,
  MemberAppeared,
  MemberSlashed,
  RootSigned,
  TimeoutCalled,
  WitnessesOpened,
  WitnessesWithheld,
} from "../generated/Committee/Committee";
import { Attestation, Validator } from "../generated/schema";
import { record, zero } from "./record";

const contract = "Committee";

function note(event: ethereum.Event, name: string, job: BigInt): void {
  const row = record(event, contract, name);
  row.job = job.toString();
  row.save();
}

function attestationOf(job: BigInt, attempt: BigInt): Attestation {
  const id = job.toString() + "-" + attempt.toString();
  const existing = Attestation.load(id);
  if (existing != null) return existing;
  const created = new Attestation(id);
  created.job = job.toString();
  created.attempt = attempt;
  created.status = "Asked";
  created.members = [];
  created.signers = zero;
  created.differing = zero;
  created.feePerMember = zero;
  return created;
}

export function handleCommitteeAsked(event: CommitteeAsked): void {
  note(event, "CommitteeAsked", event.params.jobId);
  attestationOf(event.params.jobId, event.params.attempt).save();
}

export function handleCommitteeDrawn(event: CommitteeDrawn): void {
  note(event, "CommitteeDrawn", event.params.jobId);
  const attestation = attestationOf(event.params.jobId, event.params.attempt);
  const members: string[] = [];
  for (let i = 0; i < event.params.members.length; i++) members.push(event.params.members[i].toString());
  attestation.members = members;
  attestation.seed = event.params.seed;
  attestation.deadline = event.params.deadline;
  attestation.status = "Drawn";
  attestation.save();
}

export function handleRootSigned(event: RootSigned): void {
  note(event, "RootSigned", event.params.jobId);
  const attestation = attestationOf(event.params.jobId, event.params.attempt);
  attestation.signers = event.params.signers;
  attestation.root = event.params.root;
  attestation.deadline = event.params.deadline;
  attestation.status = "Signed";
  attestation.save();
}

export function handleWitnessesOpened(event: WitnessesOpened): void {
  note(event, "WitnessesOpened", event.params.jobId);
  const attestation = attestationOf(event.params.jobId, event.params.attempt);
  attestation.status = "Opened";
  attestation.save();
}

export function handleDigestsRevealed(event: DigestsRevealed): void {
  note(event, "DigestsRevealed", event.params.jobId);
  const attestation = attestationOf(event.params.jobId, event.params.attempt);
  attestation.differing = event.params.differing;
  attestation.status = "Revealed";
  attestation.save();
}

export function handleCommitteeAttested(event: CommitteeAttested): void {
  note(event, "CommitteeAttested", event.params.jobId);
  const attestation = attestationOf(event.params.jobId, event.params.attempt);
  attestation.feePerMember = event.params.feePerMember;
  attestation.status = "Attested";
  attestation.save();
  const members = attestation.members;
  for (let i = 0; i < members.length; i++) {
    const signed = attestation.signers.rightShift(u8(i)).bitAnd(BigInt.fromI32(1));
    if (signed.isZero()) continue;
    const validator = Validator.load(members[i])!;
    validator.attestations += 1;
    validator.save();
  }
}

export function handleAttemptFailed(event: AttemptFailed): void {
  note(event, "AttemptFailed", event.params.jobId);
  const attestation = attestationOf(event.params.jobId, event.params.attempt);
  attestation.status = "Failed";
  attestation.save();
}

export function handleCommitteeDismissed(event: CommitteeDismissed): void {
  note(event, "CommitteeDismissed", event.params.jobId);
  const attestation = attestationOf(event.params.jobId, event.params.attempt);
  // Members of every attempt are dismissed once the job is over: what was attested stays so.
  if (attestation.status != "Attested") attestation.status = "Failed";
  attestation.save();
}

export function handleMemberSlashed(event: MemberSlashed): void {
  const validator = Validator.load(event.params.member.toString())!;
  const row = record(event, contract, "MemberSlashed");
  row.job = event.params.jobId.toString();
  row.operator = validator.operator;
  row.save();
  validator.lies += 1;
  validator.save();
}

export function handleMemberAppeared(event: MemberAppeared): void {
  note(event, "MemberAppeared", event.params.jobId);
}

export function handleCommitteeSilent(event: CommitteeSilent): void {
  note(event, "CommitteeSilent", event.params.jobId);
}

export function handleCommitteeClosed(event: CommitteeClosed): void {
  note(event, "CommitteeClosed", event.params.jobId);
}

export function handleWitnessesWithheld(event: WitnessesWithheld): void {
  note(event, "WitnessesWithheld", event.params.jobId);
}

export function handleTimeoutCalled(event: TimeoutCalled): void {
  note(event, "TimeoutCalled", event.params.jobId);
}

export function handleTermsSet(event: ethereum.Event): void {
  record(event, contract, "TermsSet").save();
}

export function handleAuthorityUpdated(event: ethereum.Event): void {
  record(event, contract, "AuthorityUpdated").save();
}
