import { Link } from "wouter";
import { ModelCertificateDocument } from "../../../subgraph/queries/documents.ts";
import { saveFile } from "../compute/save-file.ts";
import { Answered } from "../data/answered.tsx";
import { QueryLink } from "../data/query-link.tsx";
import { useAnswer } from "../data/use-answer.ts";
import { useNetwork } from "../network/context.ts";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card, PageHead } from "../ui/card.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import { EmptyState } from "../ui/states.tsx";
import { Account, DatasetId, In, Time, Transaction } from "../ui/values.tsx";
import { Whole } from "../ui/whole.tsx";
import { certificateFile } from "./certificate-file.ts";

/** A certificate: what a model is, told by the contracts that saw it made. */
export default function Certificate({ id }: { id: string }) {
  const { deployment } = useNetwork();
  const variables = { certificate: id };
  const answer = useAnswer(ModelCertificateDocument, variables);
  return (
    <Answered answer={answer} what="The certificate could not be read">
      {({ certificate }) =>
        certificate === null ? (
          <EmptyState title={`There is no certificate ${id} on this chain.`}>
            A job has its certificate once it is final: <Link href={`/jobs/${id}`}>job {id}</Link>
          </EmptyState>
        ) : (
          <>
            <PageHead kind="Certificate" title={`The model of job ${certificate.job.id}`}>
              <Badge tone="healthy">Final</Badge>
              <Badge tone={certificate.isAttested ? "healthy" : "neutral"}>
                {certificate.isAttested ? "Attested by a committee" : "Not disputed"}
              </Badge>
              <span>
                Belongs to <Account address={certificate.owner} />
              </span>
            </PageHead>
            <Card
              title="What it stands for"
              aside={<QueryLink document={ModelCertificateDocument} variables={variables} />}
            >
              <Facts>
                <Fact name="Job">
                  <Link href={`/jobs/${certificate.job.id}`}>Job {certificate.job.id}</Link>
                </Fact>
                <Fact name="Trained by">
                  <Account address={certificate.provider.id} />
                </Fact>
                <Fact name="Trained on">
                  <DatasetId id={certificate.dataset.id} />
                </Fact>
                <Fact name="Stored as">
                  <DatasetId id={certificate.result.id} />
                </Fact>
                {certificate.job.events[0] !== undefined && (
                  <Fact name="Issued in">
                    <Transaction hash={certificate.job.events[0].transaction} />
                  </Fact>
                )}
                <Fact name="Final since">
                  <In event={certificate.job.events[0]}>
                    <Time at={certificate.finalisedAt} />
                  </In>
                </Fact>
                <Fact name="Root of the model's state">
                  <Whole text={certificate.stateRoot} />
                </Fact>
                <Fact name="Root of the trace">
                  <Whole text={certificate.traceRoot} />
                </Fact>
                <Fact name="Root of the program">
                  <Whole text={certificate.programRoot} />
                </Fact>
                <Fact name="Digest of the package">
                  <Whole text={certificate.programDigest} />
                </Fact>
                <Fact name="Hash of the training order">
                  <Whole text={certificate.trainingHash} />
                </Fact>
                <Fact name="Digest of the leaves">
                  <Whole text={certificate.leavesDigest} />
                </Fact>
              </Facts>
              <div>
                <Button
                  onClick={() =>
                    saveFile(certificateFile(certificate, deployment), `certificate-${certificate.id}.json`)
                  }
                >
                  Download it as JSON
                </Button>
              </div>
            </Card>
          </>
        )
      }
    </Answered>
  );
}
