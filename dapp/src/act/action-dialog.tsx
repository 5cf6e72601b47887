import { useQuery } from "@tanstack/react-query";
import { useConfig } from "wagmi";
import { useNetwork } from "../network/context.ts";
import { Badge, Notice, type Tone } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Cost } from "../ui/cost.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import { Transaction } from "../ui/values.tsx";
import { walletWords } from "../wallet/words.ts";
import styles from "./action-dialog.module.css";
import { costOf } from "./perform.ts";
import { type Begun, type Phase, runner } from "./runner.ts";
import type { SendStep, Step } from "./steps.ts";

/** Leads through an action: says what each step is and costs, asks the wallet, and says what became of it. */
export default function ActionDialog({ begun }: { begun: Begun }) {
  return (
    <Dialog title={begun.action.title} isOpen onClose={() => runner.leave()}>
      <Steps begun={begun} />
    </Dialog>
  );
}

function Steps({ begun: { action, at, phase, next } }: { begun: Begun }) {
  const config = useConfig();
  const { deployment } = useNetwork();
  const step = action.steps[at];
  const parts = { config, deployment, account: action.account };
  return (
    <>
      {next !== undefined && (
        <Notice tone="neutral" title="This is still under way">
          One thing is sent at a time, so that nothing is sent twice. Begin “{next}” again when it is over.
        </Notice>
      )}
      <ol className={styles.steps}>
        {action.steps.map((each, index) => {
          const [tone, word] = stateOf(index, at, phase);
          return (
            <li key={each.title} className={styles.step} aria-current={index === at ? "step" : undefined}>
              <p className={styles.title}>
                <span>{each.title}</span> <Badge tone={tone}>{word}</Badge>
              </p>
              {index === at && phase.kind !== "over" && <Preview step={each} parts={parts} />}
            </li>
          );
        })}
      </ol>
      <Said phase={phase} />
      <div className={styles.buttons}>
        {phase.kind === "over" ? (
          <Button kind="main" onClick={() => runner.leave()}>
            Close
          </Button>
        ) : (
          <>
            <Button onClick={() => runner.leave()}>Leave it</Button>
            {phase.kind === "passed over" && (
              <Button kind="main" onClick={() => void runner.lookAgain()}>
                Look again
              </Button>
            )}
            <Button
              kind={phase.kind === "passed over" ? "plain" : "main"}
              onClick={() => void runner.perform(parts)}
              disabled={phase.kind === "asking" || phase.kind === "sent"}
            >
              {phase.kind === "failed"
                ? "Try again"
                : phase.kind === "passed over"
                  ? "Send it anew"
                  : step?.kind === "sign"
                    ? "Sign"
                    : "Send"}
            </Button>
          </>
        )}
      </div>
    </>
  );
}

function Said({ phase }: { phase: Phase }) {
  switch (phase.kind) {
    case "ready":
      return null;
    case "asking":
      return (
        <Notice tone="waiting" title="Confirm it in your wallet">
          It shows the same, and asks you. A hardware wallet may take minutes: you can leave this, and come
          back to it.
        </Notice>
      );
    case "sent":
      return (
        <Notice tone="waiting" title="Sent: waiting for its block">
          <Reached hash={phase.hash} />
          {phase.trouble !== undefined && <p>The chain cannot be asked at the moment: {phase.trouble}</p>}
        </Notice>
      );
    case "over":
      return (
        <Notice tone="healthy" title="Done">
          {phase.hash !== undefined && <Reached hash={phase.hash} />}
        </Notice>
      );
    case "failed":
      return (
        <Notice tone="wrong" title="It did not happen">
          <p>{phase.words}</p>
          {phase.hash !== undefined && <Reached hash={phase.hash} />}
        </Notice>
      );
    case "passed over":
      return (
        <Notice tone="wrong" title="Another transaction took its place">
          <p>
            The network has never seen what the wallet said it sent, and another transaction of your account
            has its number
            {phase.other !== undefined && (
              <>
                : <Reached hash={phase.other} />
              </>
            )}
            . If your wallet shows it as waiting still, look again before you send it anew.
          </p>
        </Notice>
      );
  }
}

/** Leads to a transaction, and takes the dialog out of its way. */
function Reached({ hash }: { hash: string }) {
  return <Transaction hash={hash} onFollow={() => runner.hide()} />;
}

function stateOf(index: number, at: number, phase: Phase): readonly [Tone, string] {
  if (index < at || phase.kind === "over") return ["healthy", "Done"];
  if (index > at) return ["neutral", "Afterwards"];
  const isWrong = phase.kind === "failed" || phase.kind === "passed over";
  return isWrong ? ["wrong", "Failed"] : ["waiting", "Now"];
}

function Preview({ step, parts }: { step: Step; parts: Parameters<typeof costOf>[0] }) {
  return (
    <Facts>
      {step.words.map(([name, value]) => (
        <Fact key={name} name={name}>
          {value}
        </Fact>
      ))}
      {step.kind === "sign" ? (
        <Fact name="Costs">nothing: it is signed, not sent</Fact>
      ) : (
        <CostFact step={step} parts={parts} />
      )}
    </Facts>
  );
}

function CostFact({ step, parts }: { step: SendStep; parts: Parameters<typeof costOf>[0] }) {
  const cost = useQuery({
    queryKey: ["cost", step.title, parts.account],
    queryFn: () => costOf(parts, step),
    retry: 0,
    staleTime: 0,
    gcTime: 0,
  });
  if (cost.error !== null) {
    return (
      <Fact name="It would fail">
        <span role="alert">{walletWords(cost.error)}</span>
      </Fact>
    );
  }
  return (
    <Fact name="Gas, at most">
      {cost.data === undefined ? (
        "being estimated"
      ) : (
        <>
          {cost.data.gas.toLocaleString("en")}: <Cost wei={cost.data.wei} />
        </>
      )}
    </Fact>
  );
}
