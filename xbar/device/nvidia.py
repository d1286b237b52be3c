"""An NVIDIA card, through the bindings of CUDA's driver."""

from __future__ import annotations

import ctypes
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.device import nvrtc
from xbar.device.card import Buffer, Card, DeviceMemoryError, Kernel
from xbar.device.source import Source
from xbar.errors import EngineError, ToolError
from xbar.parallel import cpus, in_threads

_STATIC_SHARED = 48 * 1024  # bytes of shared memory that a kernel has without asking
PIECE = 1 << 25
"""Bytes that are copied at once."""

_FEW_PIECES = 2  # below, a plain copy is as fast
_THREADS_PIECE = 1 << 22  # bytes that a thread copies
_UNIT = 512  # bytes in which memory is asked for
_LOOSE, _SMALL = 1.25, 1 << 16  # memory that is used again is so many times as large, or this small
_OLDEST = (7, 5)  # what NVRTC 13 compiles for


class NvidiaCard(Card):
    """This machine's first card.

    Calls from several threads wait for each other; a kernel runs after those started before.

    Raises:
        ToolError: the bindings, the compiler, the driver or a card is missing, or too old.
    """

    def __init__(self) -> None:
        compiler = nvrtc.version()
        try:
            from cuda.bindings import driver

            self._driver: Any = driver
            (status,) = driver.cuInit(0)
        except (ImportError, OSError, RuntimeError) as error:
            raise ToolError("NVIDIA's display driver is not installed") from error
        if status != driver.CUresult.CUDA_SUCCESS:
            raise ToolError(f"the driver finds no card ({status.name})")
        supported = int(self._call("cuDriverGetVersion"))
        if supported // 1000 < compiler[0]:
            runs = f"{supported // 1000}.{supported % 1000 // 10}"
            raise ToolError(
                f"the driver runs CUDA {runs} and NVRTC is {compiler[0]}.{compiler[1]}; update the "
                "driver, or take an older nvidia-cuda-nvrtc"
            )
        device = self._call("cuDeviceGet", 0)
        self._lock = threading.RLock()
        self._context = self._call("cuDevicePrimaryCtxRetain", device)
        self._modules: dict[str, Any] = {}
        self._limits: dict[str, int] = {}
        self._rooms: dict[int, int] = {}  # bytes by address, of all memory that the driver gave
        self._rooms_of_host: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None
        self._spare: set[int] = set()  # addresses of what was given back, kept for who asks next
        self._kernels: dict[tuple[str, str, int], Kernel] = {}
        self._describe(device)
        if self.capability < _OLDEST:
            raise ToolError(
                f"the {self.name} has capability {self.capability}, less than {_OLDEST}"
            )

    def _describe(self, device: Any) -> None:
        about = self._driver.CUdevice_attribute

        def attribute(name: str) -> int:
            number = getattr(about, f"CU_DEVICE_ATTRIBUTE_{name}")
            return int(self._call("cuDeviceGetAttribute", number, device))

        name = self._call("cuDeviceGetName", 256, device)
        self.name = name.split(b"\0")[0].decode()
        self.capability = (
            attribute("COMPUTE_CAPABILITY_MAJOR"),
            attribute("COMPUTE_CAPABILITY_MINOR"),
        )
        self.processors = attribute("MULTIPROCESSOR_COUNT")
        self.shared = attribute("MAX_SHARED_MEMORY_PER_BLOCK_OPTIN")

    def __repr__(self) -> str:
        return f"NvidiaCard({self.name})"

    def _call(self, name: str, *arguments: Any) -> Any:
        """The value of a function of the driver.

        Raises:
            DeviceMemoryError: the card's memory is full.
            EngineError: the driver reports another error.
        """
        status, *value = getattr(self._driver, name)(*arguments)
        if status == self._driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY:
            raise DeviceMemoryError("the card has too little free memory")
        if status != self._driver.CUresult.CUDA_SUCCESS:
            raise EngineError(f"the card's driver reports {status.name} from {name}")
        return value[0] if value else None

    def call(self, name: str, *arguments: Any) -> Any:
        """A function of the driver with this card's context, one thread at a time.

        Raises:
            DeviceMemoryError: the card's memory is full.
            EngineError: the driver reports another error.
        """
        with self._lock:
            self._call("cuCtxSetCurrent", self._context)
            return self._call(name, *arguments)

    def kernel(self, source: Source, name: str, shared: int = 0) -> Kernel:
        """A kernel of a text, compiled at its first use, see ``Card.kernel``."""
        if shared > self.shared:
            raise EngineError(
                f"a block of {name} takes {shared} bytes of shared memory and the {self.name} has "
                f"{self.shared}"
            )
        digest = source.key
        with self._lock:
            key = digest, name, shared
            if key not in self._kernels:
                if digest not in self._modules:
                    code = nvrtc.binary(source, self.capability)
                    self._modules[digest] = self.call("cuModuleLoadData", code)
                function = self.call("cuModuleGetFunction", self._modules[digest], name.encode())
                self._raise_limit(digest + name, function, shared)
                self._kernels[key] = _Function(self, function, shared)
            return self._kernels[key]

    def _raise_limit(self, name: str, function: Any, shared: int) -> None:
        """Let a function have shared memory, and never less than it was given before."""
        if shared <= self._limits.get(name, _STATIC_SHARED):
            return
        self._limits[name] = shared
        limit = self._driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        self.call("cuFuncSetAttribute", function, limit, shared)

    def free(self) -> int:
        """Bytes of memory that nothing holds at the moment."""
        with self._lock:
            self._call("cuCtxSetCurrent", self._context)
            status, free, _ = self._driver.cuMemGetInfo()
            spare = sum(self._rooms[address] for address in self._spare)
        if status != self._driver.CUresult.CUDA_SUCCESS:
            raise EngineError(f"the card's driver reports {status.name} from cuMemGetInfo")
        return int(free) + spare

    def allocate(self, size: int) -> Buffer:
        """Take memory; raises DeviceMemoryError if there is less.

        The driver needs milliseconds for each gigabyte, so that what was given back is used again
        where it fits. Kernels run one after another: those that used it before have ended by then.
        """
        with self._lock:
            most = max(_LOOSE * size, _SMALL)
            fitting = [(self._rooms[x], x) for x in self._spare if size <= self._rooms[x] <= most]
            if fitting:
                _, address = min(fitting)
                self._spare.remove(address)
            else:
                try:
                    address = self._new(size)
                except DeviceMemoryError:
                    self._give_back()
                    address = self._new(size)
            return Buffer(address, size)

    def _new(self, size: int) -> int:
        room = -(-size // _UNIT) * _UNIT
        address = int(self.call("cuMemAlloc", room))
        self._rooms[address] = room
        return address

    def release(self, buffer: Buffer) -> None:
        """Give memory back: to the next who asks, or to the driver when memory is short."""
        with self._lock:
            self._spare.add(buffer.address)

    def _give_back(self) -> None:
        """Give all spare memory back to the driver."""
        self.wait()
        while self._spare:
            address = self._spare.pop()
            del self._rooms[address]
            self.call("cuMemFree", self._driver.CUdeviceptr(address))

    def write(self, buffer: Buffer, values: NDArray[Any]) -> None:
        """Copy a contiguous array to the beginning of a buffer."""
        _check_copy(buffer, values)
        pinned = self._pinned(values.nbytes)
        if pinned is None:
            if values.nbytes:
                pointer = self._driver.CUdeviceptr(buffer.address)
                self.call("cuMemcpyHtoD", pointer, values.ctypes.data, values.nbytes)
            return
        content = values.reshape(-1).view(np.uint8)
        with self._lock:
            for number, part in enumerate(_pieces(values.nbytes)):
                room = pinned[number % 2][: part.stop - part.start]
                _copy(room, content[part])  # while the piece before is on its way
                self.wait()
                pointer = self._driver.CUdeviceptr(buffer.address + part.start)
                self.call("cuMemcpyHtoDAsync", pointer, room.ctypes.data, room.nbytes, 0)
            self.wait()

    def read(self, buffer: Buffer, values: NDArray[Any]) -> None:
        """Fill a contiguous array from the beginning of a buffer, once all kernels have ended."""
        _check_copy(buffer, values)
        pinned = self._pinned(values.nbytes)
        if pinned is None:
            if values.nbytes:
                pointer = self._driver.CUdeviceptr(buffer.address)
                self.call("cuMemcpyDtoH", values.ctypes.data, pointer, values.nbytes)
            return
        content = values.reshape(-1).view(np.uint8)
        before: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None
        with self._lock:
            for number, part in enumerate(_pieces(values.nbytes)):
                room = pinned[number % 2][: part.stop - part.start]
                pointer = self._driver.CUdeviceptr(buffer.address + part.start)
                self.call("cuMemcpyDtoHAsync", room.ctypes.data, pointer, room.nbytes, 0)
                if before is not None:
                    _copy(*before)  # while this piece is on its way
                self.wait()
                before = content[part], room
            if before is not None:
                _copy(*before)

    def _pinned(self, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
        """Two pieces of memory that a card reaches by itself; None for arrays as fast without.

        A copy from and to other memory goes at a tenth of the speed: one thread of the driver
        copies it once more, and meets each new page alone.
        """
        if size < _FEW_PIECES * PIECE:
            return None
        with self._lock:
            if self._rooms_of_host is None:
                addresses = [int(self.call("cuMemHostAlloc", PIECE, 0)) for _ in range(2)]
                one, two = [(ctypes.c_uint8 * PIECE).from_address(x) for x in addresses]
                self._rooms_of_host = np.ctypeslib.as_array(one), np.ctypeslib.as_array(two)
            return self._rooms_of_host

    def wait(self) -> None:
        """Return when all kernels have ended."""
        self.call("cuCtxSynchronize")


class _Function(Kernel):
    """A kernel of a loaded module.

    Attributes:
        card: its card.
        function: the driver's handle.
        shared: bytes of dynamic shared memory of a block.
    """

    def __init__(self, card: NvidiaCard, function: Any, shared: int) -> None:
        self.card, self.function, self.shared = card, function, shared

    def launch(self, grid: tuple[int, int], threads: int, *arguments: Buffer | np.generic) -> None:
        """Start it, see ``Kernel.launch``."""
        values = [as_bytes(argument) for argument in arguments]
        addresses = (ctypes.c_void_p * len(values))(*(v.ctypes.data for v in values))
        blocks, block = (*grid, 1), (threads, 1, 1)
        self.card.call(
            "cuLaunchKernel",
            self.function, *blocks, *block, self.shared, 0, ctypes.addressof(addresses), 0,
        )  # fmt: skip


def as_bytes(argument: Buffer | np.generic) -> NDArray[Any]:
    """An argument of a kernel in memory (1,): an address or a number."""
    if isinstance(argument, Buffer):
        return np.array([argument.address], dtype=np.uint64)
    return np.array([argument])


def _pieces(size: int) -> list[slice]:
    return [slice(start, min(start + PIECE, size)) for start in range(0, size, PIECE)]


def _copy(to: NDArray[np.uint8], values: NDArray[np.uint8]) -> None:
    """Copy bytes in threads."""
    step = _THREADS_PIECE

    def one(start: int) -> None:
        to[start : start + step] = values[start : start + step]

    in_threads(one, range(0, len(to), step), cpus())


def _check_copy(buffer: Buffer, values: NDArray[Any]) -> None:
    assert values.flags.c_contiguous
    assert values.nbytes <= buffer.size
