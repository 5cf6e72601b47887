// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Credits} from "../libraries/Credits.sol";
import {ExactTransfer} from "../libraries/ExactTransfer.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";

/// @title Money of jobs, in one ERC-20 token
/// @dev Tokens that take a fee on transfer are refused where they come in, so that the books are right from there on.
contract Escrow is IEscrow, AccessManaged, Credits, ReentrancyGuardTransient {
    using ExactTransfer for IERC20;
    using SafeCast for uint256;

    struct Purses {
        address consumer;
        bool isClosed;
        uint128 price;
        uint128 fees;
    }

    mapping(uint256 jobId => Purses) private _purses;

    constructor(address authority, IERC20 token_) AccessManaged(authority) Credits(token_) {}

    /// @inheritdoc IEscrow
    function fund(
        uint256 jobId,
        address consumer,
        uint256 price,
        uint256 fees
    ) external restricted nonReentrant {
        if (_purses[jobId].consumer != address(0)) revert AlreadyFunded(jobId);
        _purses[jobId] = Purses(consumer, false, price.toUint128(), fees.toUint128());
        emit Funded(jobId, consumer, price, fees);
        token.pullExact(consumer, price + fees);
    }

    /// @inheritdoc IEscrow
    function payPrice(uint256 jobId, address to, uint256 amount) external restricted {
        _takePrice(jobId, amount);
        _credit(to, amount);
        emit PricePaid(jobId, to, amount);
    }

    /// @inheritdoc IEscrow
    function refundPrice(uint256 jobId, uint256 amount) external restricted {
        address consumer = _takePrice(jobId, amount);
        _credit(consumer, amount);
        emit Refunded(jobId, consumer, amount);
    }

    /// @inheritdoc IEscrow
    function payFee(uint256 jobId, address to, uint256 amount) external restricted {
        Purses storage purses = _open(jobId);
        uint256 held = purses.fees;
        if (amount > held) revert InsufficientFunds(jobId, amount, held);
        purses.fees = uint128(held - amount);
        _credit(to, amount);
        emit FeePaid(jobId, to, amount);
    }

    /// @inheritdoc IEscrow
    function close(uint256 jobId) external restricted returns (uint256 refunded) {
        Purses storage purses = _open(jobId);
        address consumer = purses.consumer;
        refunded = uint256(purses.price) + purses.fees;
        purses.isClosed = true;
        (purses.price, purses.fees) = (0, 0);
        _credit(consumer, refunded);
        emit Refunded(jobId, consumer, refunded);
    }

    /// @inheritdoc IEscrow
    function withdraw(address to) external nonReentrant returns (uint256 amount) {
        amount = _payOut(to);
        emit Withdrawn(msg.sender, to, amount);
    }

    /// @inheritdoc IEscrow
    function pursesOf(uint256 jobId) external view returns (uint256 price, uint256 fees) {
        Purses storage purses = _purses[jobId];
        return (purses.price, purses.fees);
    }

    /// @inheritdoc IEscrow
    function creditOf(address account) external view returns (uint256) {
        return _creditOf(account);
    }

    function _takePrice(uint256 jobId, uint256 amount) private returns (address consumer) {
        Purses storage purses = _open(jobId);
        uint256 held = purses.price;
        if (amount > held) revert InsufficientFunds(jobId, amount, held);
        purses.price = uint128(held - amount);
        return purses.consumer;
    }

    function _open(uint256 jobId) private view returns (Purses storage purses) {
        purses = _purses[jobId];
        if (purses.consumer == address(0) || purses.isClosed) revert NoPurse(jobId);
    }
}
