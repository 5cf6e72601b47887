import { Address, ethereum } from "@graphprotocol/graph-ts";
import { CertificateIssued, Transfer } from "../generated/ModelCertificate/ModelCertificate";
import { Certificate } from "../generated/schema";
import { record } from "./record";

const contract = "ModelCertificate";

export function handleCertificateIssued(event: CertificateIssued): void {
  const id = event.params.jobId.toString();
  const row = record(event, contract, "CertificateIssued");
  row.job = id;
  row.save();
  const issued = event.params.certificate;
  const certificate = new Certificate(event.params.certificateId.toString());
  certificate.job = id;
  certificate.owner = event.params.consumer;
  certificate.provider = issued.provider;
  certificate.order = issued.orderHash;
  certificate.dataset = issued.datasetId;
  certificate.programRoot = issued.programRoot;
  certificate.trainingHash = issued.trainingHash;
  certificate.traceRoot = issued.traceRoot;
  certificate.stateRoot = issued.stateRoot;
  certificate.result = issued.resultId;
  certificate.programDigest = issued.programDigest;
  certificate.leavesDigest = issued.leavesDigest;
  certificate.isAttested = issued.isAttested;
  certificate.finalisedAt = issued.finalisedAt;
  certificate.save();
}

export function handleTransfer(event: Transfer): void {
  record(event, contract, "Transfer").save();
  // Issuing one is a transfer from nobody, which comes before the certificate itself.
  if (event.params.from.equals(Address.zero())) return;
  const certificate = Certificate.load(event.params.tokenId.toString())!;
  certificate.owner = event.params.to;
  certificate.save();
}

export function handleApproval(event: ethereum.Event): void {
  record(event, contract, "Approval").save();
}

export function handleApprovalForAll(event: ethereum.Event): void {
  record(event, contract, "ApprovalForAll").save();
}
