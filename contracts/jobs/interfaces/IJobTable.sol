// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICommittee} from "../../attestation/interfaces/ICommittee.sol";
import {IDisputeGame} from "../../disputes/interfaces/IDisputeGame.sol";
import {IInstalments} from "./IInstalments.sol";
import {IJobRegistry} from "./IJobRegistry.sol";
import {IModelCertificate} from "./IModelCertificate.sol";

/// @title What stands around the life of jobs: parameters, modules, conduct of providers, and the settlement of ends
/// that others have reported
interface IJobTable {
    /// @notice What became of a stored result.
    enum ResultFault {
        /// It was given up by those who held it, and not stored again.
        Lost,
        /// What is stored is not what was committed to.
        Misstored,
        /// It was given up, and could not be stored again: nobody's fault.
        Stranded
    }

    /// @notice Thrown when modules are named twice, or game or certificate are nobody.
    error InvalidModules();
    /// @notice Thrown when a job that is over owes nobody anything.
    error NothingToSettle(uint256 jobId);

    event ModulesSet(
        IDisputeGame game,
        ICommittee committee,
        IModelCertificate certificate,
        IInstalments instalments
    );
    /// @notice A provider was convicted or late.
    /// @param multiplier what its stake is multiplied by from now on, in hundredths
    event ConductMarked(address indexed provider, uint256 multiplier);
    /// @notice A job has failed or is void, by what the game or the committee has said: `settle` is due.
    /// @param reason "convicted", "withheld", "lost", "misstored", "stranded" or "void"
    event SettlementPending(uint256 indexed jobId, bytes32 reason);
    /// @notice The bond of a job that has failed without a conviction went back.
    event BondReleased(uint256 indexed jobId, address indexed provider);

    /// @notice Names what takes the registry in its own constructor. Once; only AccessManager.
    /// @param committee nobody: orders with a committee are refused
    /// @param instalments nobody: orders with instalments are refused
    function setModules(
        IDisputeGame game,
        ICommittee committee,
        IModelCertificate certificate,
        IInstalments instalments
    ) external;

    /// @notice Sets what new jobs take over, within hard bounds. Only AccessManager.
    function setParameters(IJobRegistry.Parameters calldata parameters) external;

    /// @notice Stops new jobs; nothing else. Only AccessManager.
    function pause() external;

    /// @notice Ends `pause`. Only AccessManager.
    function unpause() external;

    /// @notice Moves the money of a job whose end was reported: slashes, pays, refunds, closes its committee.
    /// Returns the bond of a job that has failed without a conviction, as soon as no challenge is open. Anyone, at
    /// any time.
    function settle(uint256 jobId) external;

    /// @notice Writes down that the stored result of a running job, or of one of its checkpoints, was lost or is
    /// not what was committed to; `settle` then takes the whole stake, or nothing of it when nobody is at fault.
    /// Only the contracts that watch results.
    /// @param fault what became of the result
    /// @param reporter who showed that it is not what was committed to; nobody where it was lost: no one is
    /// rewarded, so that no one gains by holders that leave
    function onResultFault(uint256 jobId, ResultFault fault, address reporter) external;

    /// @notice Whether a job is over, and its stake and purses are still as they were: `settle` is due.
    function isOwed(uint256 jobId) external view returns (bool);

    /// @notice What new jobs take over.
    function parameters() external view returns (IJobRegistry.Parameters memory);

    /// @notice What a provider's stake is multiplied by at present, in hundredths: 100 to 1600. A conviction doubles
    /// it, being late does half of that (100, 150, 200, 300, 400, …), 30 days without another fault halve it.
    function multiplierOf(address provider) external view returns (uint256);

    /// @notice Jobs so far; they count from 1.
    function jobCount() external view returns (uint256);
}
