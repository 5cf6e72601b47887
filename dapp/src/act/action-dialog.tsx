import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Hex } from "viem";
import { useConfig } from "wagmi";
import { useNetwork } from "../network/context.ts";
import { Badge, Notice, type Tone } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import { Amount, Transaction } from "../ui/values.tsx";
import { walletWords } from "../wallet/words.ts";
import styles from "./action-dialog.module.css";
import { costOf, type Outcome, send, sign } from "./perform.ts";
import type { Action, SendStep, Step } from "./steps.ts";

type Phase =
  | { readonly kind: "ready" }
  | { readonly kind: "asking" }
  | { readonly kind: "sent"; readonly hash: Hex }
  | { readonly kind: "over"; readonly hash: Hex | undefined }
  | { readonly kind: "failed"; readonly words: string; readonly hash?: Hex };

const endings: Record<"reverted" | "cancelled" | "replaced", string> = {
  reverted:
    "The contract refused it when its block was made: things had changed meanwhile. Only its gas was spent.",
  cancelled:
    "It was cancelled in the wallet: another transaction took its place, and this one never happened.",
  replaced: "The wallet replaced it by another transaction: this one never happened.",
};

/** Leads through an action: says what each step is and costs, asks the wallet, and says what became of it. */
export function ActionDialog({ action, onClose }: { action: Action | undefined; onClose: () => void }) {
  return (
    <Dialog title={action?.title ?? ""} isOpen={action !== undefined} onClose={onClose}>
      {action !== undefined && <Steps action={action} onClose={onClose} />}
    </Dialog>
  );
}

function Steps({ action, onClose }: { action: Action; onClose: () => void }) {
  const config = useConfig();
  const { deployment } = useNetwork();
  const [at, setAt] = useState(0);
  const [phase, setPhase] = useState<Phase>({ kind: "ready" });
  const step = action.steps[at];
  const parts = { config, deployment, account: action.account };

  const next = (hash: Hex | undefined) => {
    if (at + 1 < action.steps.length) {
      setAt(at + 1);
      setPhase({ kind: "ready" });
      return;
    }
    setPhase({ kind: "over", hash });
    action.done(hash);
  };
  const ended = (outcome: Outcome) => {
    if (outcome.kind === "done" || outcome.kind === "sped up") next(outcome.hash);
    else setPhase({ kind: "failed", words: endings[outcome.kind], hash: outcome.hash });
  };
  const perform = async () => {
    if (step === undefined) return;
    setPhase({ kind: "asking" });
    try {
      if (step.kind === "sign") {
        await sign(parts, step);
        next(undefined);
      } else {
        ended(await send(parts, step, (hash) => setPhase({ kind: "sent", hash })));
      }
    } catch (error) {
      setPhase({ kind: "failed", words: walletWords(error) });
    }
  };

  return (
    <>
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
      {phase.kind === "asking" && (
        <Notice tone="waiting" title="Look at your wallet">
          It shows the same, and asks you. A hardware wallet may take a minute.
        </Notice>
      )}
      {phase.kind === "sent" && (
        <Notice tone="waiting" title="Sent: waiting for its block">
          <Transaction hash={phase.hash} />
        </Notice>
      )}
      {phase.kind === "failed" && (
        <Notice tone="wrong" title="It did not happen">
          <p>{phase.words}</p>
          {phase.hash !== undefined && <Transaction hash={phase.hash} />}
        </Notice>
      )}
      {phase.kind === "over" ? (
        <Notice tone="healthy" title="Done">
          {phase.hash !== undefined && <Transaction hash={phase.hash} />}
        </Notice>
      ) : null}
      <div className={styles.buttons}>
        {phase.kind === "over" ? (
          <Button kind="main" onClick={onClose}>
            Close
          </Button>
        ) : (
          <>
            <Button onClick={onClose}>Leave it</Button>
            <Button
              kind="main"
              onClick={() => void perform()}
              disabled={phase.kind === "asking" || phase.kind === "sent"}
            >
              {phase.kind === "failed" ? "Try again" : step?.kind === "sign" ? "Sign" : "Send"}
            </Button>
          </>
        )}
      </div>
    </>
  );
}

function stateOf(index: number, at: number, phase: Phase): readonly [Tone, string] {
  if (index < at || phase.kind === "over") return ["healthy", "Done"];
  if (index > at) return ["neutral", "Afterwards"];
  return phase.kind === "failed" ? ["wrong", "Failed"] : ["waiting", "Now"];
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
          {cost.data.gas.toLocaleString("en")}: <Amount units={cost.data.wei} unit="ETH" />
        </>
      )}
    </Fact>
  );
}
