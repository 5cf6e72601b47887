// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ExactLimits} from "../disputes/ExactLimits.sol";
import {TrainingOrder, TrainingOrders} from "../disputes/TrainingOrders.sol";
import {Refunds} from "../disputes/Refunds.sol";
import {TraceLeaves} from "../disputes/TraceLeaves.sol";
import {Clock} from "../libraries/Clock.sol";
import {IDatasetRegistry} from "../storage/interfaces/IDatasetRegistry.sol";
import {IRetrievalChallenges} from "../storage/interfaces/IRetrievalChallenges.sol";
import {Limits} from "../storage/Limits.sol";
import {IJobRegistry} from "./interfaces/IJobRegistry.sol";
import {IJobRules, TrainingShape} from "./interfaces/IJobRules.sol";
import {Conditions, Order, Problem, Scheme} from "./interfaces/Orders.sol";

/// @title What the registry of jobs asks of orders and of stored results
contract JobRules is IJobRules {
    /// @notice Bytes of an encoded order, which some moves carry as calldata.
    uint256 public constant MAX_BYTES = 8_192;
    /// @notice A dispute posts the witnesses of a whole interval at once: one word for each step.
    uint256 public constant MAX_INTERVAL = 96;
    /// @notice The game counts intervals in 32 bits.
    uint256 public constant MAX_STEPS = type(uint32).max;
    /// @notice Tensors of the state (keepers/src/core/exact/limits.ts).
    uint256 public constant MAX_SLOTS = 65_536;
    /// @notice Tensors of a step: the bonds cover the narrowing of so many (`Refunds`).
    uint256 public constant MAX_TENSORS = 2 ** 27;
    /// @notice What a permutation of samples can shuffle.
    uint256 public constant MAX_OBJECTS = 2 ** 32;
    uint256 public constant MAX_COMMITTEE = 64;
    /// @notice Parts in which a price is paid: checkpoints are bits of a word, and each has a bond.
    uint256 public constant MAX_INSTALMENTS = 16;

    uint32 private constant MIN_WINDOW = 10 seconds;
    uint32 private constant MAX_WINDOW = 30 days;
    uint32 private constant MAX_EXTENSION = 1 days;
    /// @dev A conviction burns at least half of the stake: with this at least the price.
    uint16 private constant MIN_STAKE_PERCENT = 200;
    uint16 private constant MAX_STAKE_PERCENT = 10_000;
    uint256 private constant BASIS_POINTS = 10_000;

    IDatasetRegistry public immutable datasets;
    IRetrievalChallenges public immutable retrieval;

    constructor(IDatasetRegistry datasets_, IRetrievalChallenges retrieval_) {
        (datasets, retrieval) = (datasets_, retrieval_);
    }

    /// @inheritdoc IJobRules
    function openOrder(
        Order calldata order,
        bytes calldata training,
        bool isDrawable,
        bool isDivisible
    ) external view returns (TrainingShape memory shape) {
        if (block.timestamp > order.expiry) revert IJobRegistry.TooLate(0, order.expiry);
        _requireConditions(order.conditions, isDrawable);
        shape = _openTraining(order.problem, training);
        uint256 instalments = order.conditions.instalments;
        if (instalments < 2) return shape;
        // Every checkpoint has at least one interval more than the one before.
        uint256 intervals = TraceLeaves.countOf(shape.steps, shape.interval) - 1;
        _require(isDivisible && instalments <= Math.min(MAX_INSTALMENTS, intervals), "instalments");
    }

    /// @inheritdoc IJobRules
    function isStored(bytes32 resultId, address provider, uint256 until) external view returns (bool) {
        IDatasetRegistry.Dataset memory result = datasets.datasetOf(resultId);
        bool isFit =
            result.status == IDatasetRegistry.Status.Active &&
                result.owner == provider &&
                !result.shape.encrypted;
        // Holders that leave again do not make its provider late: it has a grace to find others, and is paid then.
        if (!isFit || !datasets.wasHeld(resultId)) return false;
        // Epochs that were added later may bind nobody: a result has to be held by operators that can be asked for it.
        uint256 agreed = uint256(result.agreedEnd) * datasets.epochLength();
        return datasets.genesis() + agreed > until;
    }

    /// @inheritdoc IJobRules
    function requirePayable(bytes32 resultId, uint256 graceEnds) external view {
        (bool isRetrievable, , uint256 filledAt) = datasets.availabilityOf(resultId);
        if (!isRetrievable) revert IJobRegistry.ResultNotStored(resultId);
        (uint256 window, uint256 grace) = retrieval.deadlines();
        // What a holder was put out for is its owner's to publish.
        uint256 askable = Math.max(filledAt, retrieval.failedAt(resultId)) + window + grace;
        if (block.timestamp <= askable) revert IJobRegistry.ResultJustPlaced(resultId, askable + 1);
        uint256 since = retrieval.askedSince(resultId);
        if (since != 0 && since <= Math.max(graceEnds, askable)) {
            revert IJobRegistry.ResultAskedFor(resultId, since);
        }
    }

    /// @inheritdoc IJobRules
    function isOver(bytes32 datasetId) external view returns (bool) {
        return datasets.isOver(datasetId);
    }

    /// @inheritdoc IJobRules
    function requireParameters(IJobRegistry.Parameters calldata next) external pure {
        _requireBounds("lockWindow", next.lockWindow, MIN_WINDOW, MAX_WINDOW);
        _requireBounds("challengeWindow", next.challengeWindow, MIN_WINDOW, MAX_WINDOW);
        _requireBounds("stakePercent", next.stakePercent, MIN_STAKE_PERCENT, MAX_STAKE_PERCENT);
        _requireBounds("minimumStake", next.minimumStake, 1, Limits.MAX_AMOUNT);
        _requireBounds("latePenalty", next.latePenalty, 1, BASIS_POINTS);
        _requireBounds("window", next.dispute.window, Clock.SHORTEST, Clock.LONGEST);
        _requireBounds("extension", next.dispute.extension, 0, MAX_EXTENSION);
        _requireBounds("grace", next.dispute.grace, Clock.SHORTEST, Clock.LONGEST);
        uint256 price = next.dispute.refundPrice;
        _requireBounds("refundPrice", price, 1, type(uint64).max);
        // As the game asks: half of either bond refunds the other side's moves.
        uint256 least = 2 * Refunds.MOST_PROVIDER * price;
        _requireBounds("challengerBond", next.dispute.challengerBond, least, type(uint96).max);
        least = 2 * Refunds.MOST_CHALLENGER * price;
        _requireBounds("providerBond", next.providerBond, least, type(uint96).max);
    }

    function _openTraining(
        Problem calldata problem,
        bytes calldata training
    ) private view returns (TrainingShape memory) {
        _require(training.length <= MAX_BYTES, "length");
        TrainingOrder memory order = TrainingOrders.decode(training, problem.trainingHash);
        // One order has one encoding, and whoever computes it reads no other.
        bytes memory canonical = abi.encode(order);
        _require(keccak256(bytes.concat(bytes32(uint256(32)), training)) == keccak256(canonical), "encoding");
        _require(order.programRoot == problem.programRoot, "programRoot");
        _requireDataset(order, problem.datasetId);
        _requireSamples(order);
        _requireSteps(order);
        _requireProgram(problem, order.logMicroBatches);
        return
            TrainingShape(
                order.initialRoot,
                uint32(order.steps),
                uint8(order.interval),
                uint8(order.logMicroBatches)
            );
    }

    function _requireDataset(TrainingOrder memory order, bytes32 datasetId) private view {
        IDatasetRegistry.Dataset memory dataset = datasets.datasetOf(datasetId);
        _require(order.datasetId == datasetId, "datasetId");
        // Nobody could be made to serve it, and whoever took the job could walk away for nothing.
        bool isThere = dataset.status == IDatasetRegistry.Status.Active && !datasets.isOver(datasetId);
        _require(isThere, "dataset");
        _require(order.objectRoot == dataset.objectRoot, "objectRoot");
        _require(order.objects == dataset.shape.objectCount, "objects");
        _require(order.objectBytes == dataset.shape.objectSize, "objectBytes");
    }

    /// @dev What an order says beside its training.
    function _requireConditions(Conditions calldata c, bool isDrawable) private pure {
        _require(c.trainingTime != 0, "trainingTime");
        if (c.priceFeed == address(0) && c.maximumPrice > c.deposit) {
            revert IJobRegistry.PriceAboveDeposit(c.maximumPrice, c.deposit);
        }
        (uint256 size, uint256 threshold) = (c.committeeSize, c.threshold);
        bool isFit = size == 0 && threshold == 0;
        if (c.scheme != Scheme.Optimistic) {
            isFit = isDrawable && size <= MAX_COMMITTEE && threshold <= size && 2 * threshold > size;
        }
        if (!isFit) revert IJobRegistry.UnfitCommittee(c.committeeSize, c.threshold);
    }

    function _requireSamples(TrainingOrder memory order) private pure {
        _require(order.bits == 8 || order.bits == 16, "bits");
        _require(order.objects <= MAX_OBJECTS, "objects");
        _require(order.logBatch <= ExactLimits.MAX_LOG_BATCH, "logBatch");
        _require(order.logMicroBatches <= ExactLimits.MAX_LOG_MICRO_BATCHES, "logMicroBatches");
        // A split has a seed, and without one every object is a training sample.
        bool isSplit = order.splitSeed != bytes32(0);
        _require(isSplit ? order.training <= order.objects : order.training == order.objects, "training");
        _require(order.training >= 1 << (order.logBatch + order.logMicroBatches), "training");
    }

    function _requireSteps(TrainingOrder memory order) private pure {
        _require(order.steps != 0 && order.steps <= MAX_STEPS, "steps");
        _require(order.interval != 0 && order.interval <= MAX_INTERVAL, "interval");
        _require(order.every != 0 && order.every <= MAX_STEPS, "every");
        _require(order.table.length >= 2 && order.table.length % 2 == 0, "table");
    }

    function _requireProgram(Problem calldata problem, uint256 logMicroBatches) private pure {
        uint256 tensors = uint256(problem.nodeCounts[0]) << logMicroBatches;
        for (uint256 tape = 0; tape < 3; ++tape) {
            uint256 count = problem.nodeCounts[tape];
            _require(count != 0 && count <= ExactLimits.MAX_NODES, "nodeCounts");
            if (tape != 0) tensors += count;
        }
        _require(tensors <= MAX_TENSORS, "nodeCounts");
        _require(problem.witnessNode < problem.nodeCounts[0], "witnessNode");
        _require(problem.slots != 0 && problem.slots <= MAX_SLOTS, "slots");
    }

    function _requireBounds(bytes32 name, uint256 value, uint256 low, uint256 high) private pure {
        if (value < low || value > high) revert IJobRegistry.OutOfBounds(name);
    }

    function _require(bool isFit, bytes32 field) private pure {
        if (!isFit) revert IJobRegistry.UnfitTraining(field);
    }
}
