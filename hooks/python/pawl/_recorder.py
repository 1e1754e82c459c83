"""What one training process records, and when.

A step is one step of the main optimiser, the first one that steps with gradients; it is counted from 0. backward()
leaves losses behind, optimiser steps turn them into records, and the main optimiser's step ends the step:

    backward()*  ->  optimiser step of k: gradients | original step() | weights, updates, loss, lr  ->  end of step k

What other optimisers and log_scalar() contribute between two main steps belongs to the step that ends next.

The process attaches at its first optimiser step that has gradients: a launcher, a DataLoader worker or a helper
never gets there. The library lets one process per rank in; a second one stays silent for good. A child of fork()
never records for a parent that does.

Nothing here may disturb the training: every entry is guarded, the first failure is told once and ends the recording.
"""

import atexit
import collections
import functools
import operator
import os
import re
import sys
import threading
import traceback
import weakref

import torch

from . import _library
from ._activations import KINDS as OF_MODULES
from ._activations import ModuleHooks
from ._batches import Batches
from ._budget import Budget
from ._details import record_details
from ._device import Gpus
from ._environment import CaptureRequest, rank_and_world, stretched
from ._evaluation import Evaluation
from ._gradients import Gradients
from ._model_calls import watch_model_calls
from ._names import Namer
from ._numbers import Mean
from ._optimizer_state import tensors_of_state
from ._prepared import Prepared
from ._record import Record
from ._spans import Spans, now
from ._tensors import as_number, capturing_cuda_graph, on_host

# Collections of tensors that a program may record by itself.
KINDS = {"weights": _library.WEIGHT, "biases": _library.BIAS, "gradients": _library.GRADIENT,
         "updates": _library.UPDATE, **OF_MODULES}
_gradient_of = operator.attrgetter("grad")
_OF_PARAMETERS = frozenset(("weights", "biases", "gradients", "local_gradients", "unclipped_gradients", "updates",
                            "optimizer_state", "hashes"))
_OF_CALLS = frozenset(("batches", "spans"))  # of models
_NONE = frozenset()
_OF_TENSORS = _OF_PARAMETERS | _OF_CALLS | OF_MODULES.keys()
# Those that need hooks before the first forward pass.
_HOOKED = OF_MODULES.keys() | _OF_CALLS | {"local_gradients"}

# So many steps of other optimisers without one of the main optimiser mean that training has moved on to another.
HAND_OVER = 100


def _guarded(where):
    def decorate(method):
        @functools.wraps(method)
        def guarded(self, *arguments):
            if self.off:
                return None
            try:
                with self._lock:
                    return method(self, *arguments)
            except Exception as error:
                self._give_up(where, error)
                return None

        return guarded

    return decorate


class _Model:
    """What is known of one optimiser. Holds no tensor and no strong reference to it."""

    __slots__ = ("optimizer", "index", "parameter_ids", "names", "selected", "captured_step", "prepared", "offers_state")

    def __init__(self, optimizer, index):
        self.optimizer = weakref.ref(optimizer)
        self.index = index
        self.parameter_ids = None
        self.names = []
        self.selected = {}  # collection -> positions of the parameters that it includes
        self.captured_step = -1
        self.prepared = collections.defaultdict(Prepared)  # of each kind
        self.offers_state = False  # what its optimiser keeps is known after the first step only


class _Update:
    """One optimiser step under way."""

    __slots__ = ("optimizer", "model", "is_main", "parameters", "before", "gradients_later", "begin")

    def __init__(self, optimizer, model, is_main, parameters):
        self.optimizer, self.model, self.is_main = optimizer, model, is_main
        self.parameters = parameters  # in a capturing step, else None
        self.before = None  # the values of those whose updates are asked for
        self.gradients_later = False  # a closure computes them inside the step


class Recorder:
    def __init__(self, request, environment):
        """`request`: the text of PAWL_CAPTURE."""
        self.off = False
        self._environment = environment
        self._library = self._hooks = self._gradients = self._evaluation = self._pid = None
        self._lock = threading.RLock()
        self._record = Record()
        self._generation = 1  # of the capture request; that of the environment is the first
        self._models = {}  # id of optimiser -> _Model
        self.spans = Spans()
        self._batches = None
        self._logged = {}  # (kind, name) -> (Stats, type code, shape) of the step in progress
        self._spent, self._costs = 0, {}  # nanoseconds: of the step in progress, and of each collection in it
        self._namer = Namer()
        self._root_ids = _NONE  # of the models, and of what is inside their wrappers
        self.trained_calls = self.evaluated_calls = _NONE  # see watch_model_calls()
        self._ask_for(request)
        self._gpus = Gpus()
        self._optimizers = weakref.WeakValueDictionary()  # id -> each that was made or made a step
        self._main = None
        # id of the main optimiser while nothing is recorded in the step in progress. Most steps may be like that, so
        # they take a short way: between two steps all of our code has left the caches, and each call costs a microsecond.
        self.idle_optimizer = None
        self.last_stepped = None  # id of the optimiser
        self._others_since_main = 0
        self._evaluates = False  # a Hook says that what runs now is no training
        self._updating = self._evaluated = False  # inside of an optimiser step; it has called backward()
        self._losses = Mean()  # since the last optimiser step
        self._norm = None  # of the gradients, which a clipping function has found since
        self._compiled = False  # torch.compile was used
        self._told = set()  # names of the notices that were given
        os.register_at_fork(after_in_child=self._forked)

    # ---- what the patches call -------------------------------------------------------------------------------------

    @_guarded("backward()")
    def backward_done(self, tensors):
        if not self.wants_losses or self._evaluates or (self._updating and self._evaluated):
            return  # a closure that evaluates several times: the loss of a step is the one it starts from
        loss = None
        for tensor in tensors:
            if not _is_scalar(tensor) or self._in_cuda_graph(tensor):
                return
            value = getattr(tensor, "_pawl_unscaled", tensor)
            loss = value if loss is None else loss.detach() + value.detach()
        if loss is not None:
            self._losses.add(as_number(loss))
            self._evaluated = True

    @_guarded("new optimiser")
    def optimizer_created(self, optimizer):
        """Step 0 captures too, so hooks have to be in place before the first forward pass."""
        self._optimizers[id(optimizer)] = optimizer
        if not self._record.is_open() and self._due & _HOOKED and self._load():
            self._names(_parameters_of(optimizer), "")  # for the models that it finds
            self._arm()
            self._listen()
            self.spans.begin_step("spans" in self._due, waits=False)

    @_guarded("before optimiser step")
    def update_begins(self, optimizer, has_closure):
        entered = now()
        if self._in_cuda_graph(optimizer.param_groups[0]["params"][0]):
            return None
        if not self._record.is_open() and not self._attach(optimizer, has_closure):
            return None
        model = self._model_of(optimizer)
        is_main = self._is_main(model)
        captures = self._due & _OF_PARAMETERS and model.captured_step != self._record.step
        parameters = self._named(model) if captures or model.parameter_ids is None else None
        update = _Update(optimizer, model, is_main, parameters if captures else None)
        self._updating, self._evaluated, self._evaluates = True, False, False
        if captures:
            model.captured_step = self._record.step
            update.gradients_later = has_closure
            if not has_closure:
                self._capture_gradients(update)
            if "updates" in self._due:
                update.before = [parameter.detach().clone()
                                 for parameter in self._select(model, "updates", parameters)[1]]
        update.begin = now()
        self._spent += update.begin - entered
        return update

    @_guarded("after optimiser step")
    def update_ends(self, update):
        self._updating, self._entered = False, now()
        if self.spans.wanted:
            self.spans.add("optimizer", update.begin)
        if update.parameters is not None:
            if update.gradients_later:
                self._capture_gradients(update)
            self._capture_parameters(update)
        if not update.model.offers_state:
            self._offer_state(update)
        self._finish_update(update)

    def skip_step(self):
        """The end of a step of idle_optimizer."""
        self._others_since_main = 0
        if self._record.skip_step() > self._generation or self._record.step >= self._next_due:
            self._end_idleness()

    @_guarded("end of steps that record nothing")
    def _end_idleness(self):
        self._begin_step()

    @_guarded("failed optimiser step")
    def update_failed(self, _update):
        self._updating = False

    @_guarded("skipped optimiser step")
    def update_skipped(self, optimizer):
        """A GradScaler found infinities and did not step. It is a step all the same: its loss counts, its gradients
        (infinite by design while the scale is searched) do not."""
        if not self._record.is_open() and not self._attach(optimizer, False):
            return
        self._entered = now()
        model = self._model_of(optimizer)
        if self._due & _OF_PARAMETERS:
            self._gradients.forget(_parameters_of(optimizer))
        self._put_scalar("amp.skipped", 1.0)
        self._finish_update(_Update(optimizer, model, self._is_main(model), None))

    @_guarded("scaling of a loss")
    def loss_scaled(self, scale):
        if self._load():
            self._gradients.loss_scale = scale

    @_guarded("clipping of gradients")
    def clipping_begins(self, parameters):
        if "unclipped_gradients" in self._due and self._load():
            self._gradients.see_unclipped(parameters, self._request.max_size("unclipped_gradients"))

    @_guarded("clipping of gradients")
    def clipping_ends(self, norm):
        """`norm`: of the gradients before they were clipped, or None. A sharded one would need the other ranks."""
        if "scalars" in self._due and _is_scalar(norm) and not hasattr(norm, "to_local") and \
                not self._in_cuda_graph(norm):
            self._norm = as_number(norm)

    def in_eval_mode(self):
        """Whether the models that are trained are in eval mode, all of them, or a Hook says so."""
        if self._evaluates:
            return True
        roots = self._namer.roots
        return bool(roots) and all(root.in_eval_mode() for root in roots)

    @_guarded("loss of an evaluation")
    def loss_evaluated(self, loss):
        if "losses" in self._evaluated_collections() and _is_scalar(loss) and not self._in_cuda_graph(loss):
            self._evaluation.add_loss(loss)
            self.idle_optimizer = None

    @_guarded("torch.compile()")
    def compile_used(self):
        """Hooks would be compiled along, and what they do."""
        self._compiled = True
        if self._hooks is not None and self._hooks.is_armed():
            self._hooks.disarm()
            self._arm_modules(self._hooks, ())

    @_guarded("call of a model")
    def call_begins(self, model, trained, args, kwargs):
        """When a call of an outermost module begins that is trained on in a step that records calls, else None."""
        root = next((root for root in self._namer.roots if root.outermost() is model or root.module() is model), None)
        if root is None:
            return None  # it has the id of one that is gone
        if not trained or self._evaluates:
            self.spans.evaluated()
            self._arm_evaluation()
            return None
        if self._evaluation.hooks.is_armed():
            self._evaluation.hooks.disarm()
            self._listen()
        if root.outermost() is not model or self._due.isdisjoint(_OF_CALLS):
            return None
        if "batches" in self._due:
            begin = now()
            self._batches.see(args, kwargs)
            self._charge("batches", begin, outside=True)
        return self.spans.forward_begins()

    @_guarded("end of the call of a model")
    def call_ends(self, begin):
        if self.spans.wanted:
            self.spans.add("forward", begin)

    @_guarded("log_scalar()")
    def log_scalar(self, name, value):
        if not self._evaluates:
            self._put_scalar(name, value)
        elif "scalars" in self._evaluated_collections():
            self._evaluation.put_scalar(name, _number(value))

    @_guarded("tensor()")
    def log_tensor(self, name, tensor, collection):
        due = self._evaluated_collections() if self._evaluates else self._due
        host = on_host(tensor) if collection in due and self._request.includes(collection, name) else None
        if host is None:
            return
        self._load()
        logged = self._evaluation.tensors() if self._evaluates else self._logged
        values, code = host
        stats = self._library.compute_stats(values.data_ptr(), code, values.shape, values.stride())
        known = logged.get((KINDS[collection], name))
        if known is None:
            logged[KINDS[collection], name] = stats, code, tuple(tensor.shape)
        else:
            known[0].add(stats)

    def open_by_hand(self, model):
        """Attaches now, not with the first optimiser step. Raises what fails."""
        self._load()
        self._attach(None, True)
        if self.off:
            raise RuntimeError("another process records into this folder")
        if model is not None:
            self._names(list(model.parameters()), "")  # for the model that it finds
        self._begin_step()

    @_guarded("mode()")
    def evaluates(self, evaluates):
        """Until it is said otherwise, or a step ends."""
        self._evaluates = evaluates
        self.idle_optimizer = None  # the next step ends it
        if self._record.is_open():
            self._listen()
            if not evaluates:
                self._evaluation.write(self._record)

    @_guarded("step()")
    def step_by_hand(self):
        if self._record.is_open() and self._main is None:
            self._entered, self._evaluates = now(), False
            losses, self._losses = self._losses, Mean()
            if losses and "losses" in self._due:
                self._record.add(_library.LOSS, "loss", losses)
            self._finish_step()

    @_guarded("resume()")
    def resume(self, step):
        if not self._record.is_open():
            self._record.step = step
            self._plan_step()

    @_guarded("end of the process")
    def close(self):
        self.off = True
        self.idle_optimizer = None
        if self._record.is_open() and self._pid == os.getpid():
            self._disarm()
            self._evaluation.write(self._record)
            self._record.close()

    # ---- attaching and giving up -----------------------------------------------------------------------------------

    def _load(self):
        if self._library is None:
            path = self._environment.get("PAWL_CAPTURE_LIB")
            if not path:
                raise OSError("PAWL_CAPTURE_LIB is not set")
            self._library = _library.Library(path)
            compute_in_modules = self._counting(*OF_MODULES)
            self._hooks = ModuleHooks(compute_in_modules, self._give_up,
                                      lambda: torch.is_grad_enabled() and not self.in_eval_mode())
            self._gradients = Gradients(self._counting("local_gradients", "unclipped_gradients"), self._give_up)
            self._evaluation = Evaluation(self._library.compute_stats, self._give_up)
            self._batches = Batches(self._library.digest_of)
        return True

    def _attach(self, optimizer, has_closure):
        """True when this process records from here on."""
        if not has_closure and all(parameter.grad is None for parameter in _parameters_of(optimizer)):
            return False  # initialises its state, trains nothing yet
        self._load()
        rank, world_size = rank_and_world()
        self._ask_for(self._request_text)  # the rank may have become known since
        try:
            self._record.open(self._library.open(
                self._environment["PAWL_TRACE_DIR"], self._environment.get("PAWL_CONTROL_FILE"), rank, world_size,
                "python torch " + torch.__version__))
        except _library.Busy:
            self._stop()
            return False
        self._pid = os.getpid()
        atexit.register(self.close)
        # Children of multiprocessing leave through os._exit() and run its finalizers only.
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, self.close, exitpriority=1000)
        return True

    def _stop(self):
        self.off = True
        self.idle_optimizer = None
        if self._hooks is not None:
            self._disarm()
            self._evaluation.forget()
        self._losses = Mean()

    def _give_up(self, where, error):
        try:
            frames = traceback.extract_tb(error.__traceback__)
            place = " (%s:%d)" % (os.path.basename(frames[-1].filename), frames[-1].lineno) if frames else ""
            sys.stderr.write("pawl: training goes on without capture: %s: %s: %s%s\n"
                             % (where, type(error).__name__, error, place))
            sys.stderr.flush()
            with self._lock:
                self._stop()
                self._record.fail()
        except Exception:
            self.off = True  # stderr or the disk is gone: the training does not care

    def _forked(self):
        """In a child of fork(). A parent that records goes on alone; one that does not may have a child that will."""
        self._lock = threading.RLock()
        if self._record.is_open():
            self._record.forget()
            self._stop()
        self._losses = Mean()

    # ---- one optimiser step ----------------------------------------------------------------------------------------

    def _model_of(self, optimizer):
        model = self._models.get(id(optimizer))
        if model is None or model.optimizer() is not optimizer:
            alive = {key: known for key, known in self._models.items() if known.optimizer() is not None}
            index = next(n for n in range(len(alive) + 1) if all(known.index != n for known in alive.values()))
            model = _Model(optimizer, index)
            self._models = alive
            self._models[id(optimizer)] = model
            self._optimizers[id(optimizer)] = optimizer
        return model

    def _is_main(self, model):
        if self._main is None or self._main.optimizer() is None or self._others_since_main >= HAND_OVER:
            self._main = model
        is_main = model is self._main
        self._others_since_main = 0 if is_main else self._others_since_main + 1
        return is_main

    def _named(self, model):
        """The parameters of its optimiser; model.names says what they are called."""
        parameters = _parameters_of(model.optimizer())
        ids = list(map(id, parameters))
        if ids != model.parameter_ids:
            unnamed = "param." if model.index == 0 else "optimizer%d.param." % model.index
            model.names = self._names(parameters, unnamed)
            model.parameter_ids = ids
            model.selected = {}
            self._offer(model.names)
        return parameters

    def _names(self, parameters, unnamed):
        """See Namer.names(). What models there are is known better after that."""
        names = self._namer.names(parameters, unnamed)
        self._watch_models()
        return names

    def _offer(self, names):
        """Tells what could be recorded, asked for or not."""
        for name in names:
            for kind in (_library.BIAS if _is_bias(name) else _library.WEIGHT, _library.GRADIENT, _library.UPDATE,
                         _library.LOCAL_GRADIENT, _library.UNCLIPPED_GRADIENT):
                self._record.available(name, kind)
        for root in self._namer.roots:
            for name, _module in root.modules():
                for kind in OF_MODULES.values():
                    self._record.available(name, kind)

    def _offer_state(self, update):
        update.model.offers_state = True
        named = zip(update.model.names, _parameters_of(update.optimizer))
        for name, _tensor in tensors_of_state(update.optimizer, named):
            self._record.available(name, _library.OPTIMIZER_STATE)

    def _select(self, model, collection, parameters):
        """(names, parameters) of those that are asked for."""
        selected = model.selected.get(collection)
        if selected is None:
            wanted = [n for n, name in enumerate(model.names)
                      if self._request.includes(collection, name, parameters[n])]
            if collection in ("weights", "biases"):
                wanted = [n for n in wanted if _is_bias(model.names[n]) == (collection == "biases")]
            selected = model.selected[collection] = (wanted, [model.names[n] for n in wanted])
        positions, names = selected
        return names, [parameters[n] for n in positions]

    def _capture_gradients(self, update):
        self._capture_gathered(update, "local_gradients", _library.LOCAL_GRADIENT, self._gradients.local)
        self._capture_gathered(update, "unclipped_gradients", _library.UNCLIPPED_GRADIENT, self._gradients.unclipped)
        if "gradients" not in self._due:
            return
        names, parameters = self._select(update.model, "gradients", update.parameters)
        gradients = list(map(_gradient_of, parameters))
        if type(None) in map(type, gradients):
            present = [n for n, gradient in enumerate(gradients) if gradient is not None]
            names, gradients = [names[n] for n in present], [gradients[n] for n in present]
        # A fused optimiser divides by the scale of a GradScaler in its own step.
        scale = getattr(update.optimizer, "grad_scale", None)
        if scale is not None:
            gradients = [gradient / scale for gradient in gradients]
        self._capture_tensors(update.model, "gradients", _library.GRADIENT, names, gradients)

    def _capture_gathered(self, update, collection, kind, gathered):
        for name, parameter in zip(update.model.names, update.parameters) if gathered else ():
            seen = gathered.take_one(id(parameter))
            if seen is not None and self._request.includes(collection, name):
                stats, code, shape = seen
                self._record.stats(name, kind, code, shape, stats)

    def _capture_parameters(self, update):
        for collection, kind in (("weights", _library.WEIGHT), ("biases", _library.BIAS)):
            if collection in self._due:
                self._capture_tensors(update.model, collection, kind,
                                      *self._select(update.model, collection, update.parameters))
        if update.before is not None:
            names, parameters = self._select(update.model, "updates", update.parameters)
            # One that the loss did not depend on was no part of the step.
            changes = {name: parameter.detach() - before for name, parameter, before
                       in zip(names, parameters, update.before) if parameter.grad is not None}
            self._capture_tensors(update.model, "updates", _library.UPDATE, list(changes), list(changes.values()))
        if "optimizer_state" in self._due:
            state = [(name, tensor) for name, tensor
                     in tensors_of_state(update.optimizer, zip(update.model.names, update.parameters))
                     if self._request.includes("optimizer_state", name, tensor)]
            self._capture_tensors(update.model, "optimizer_state", _library.OPTIMIZER_STATE,
                                  [name for name, _tensor in state], [tensor for _name, tensor in state])
        if "hashes" in self._due:
            begin = now()
            self._capture_hashes(*self._select(update.model, "hashes", update.parameters))
            self._charge("hashes", begin)

    def _counting(self, *collections):
        """compute_stats() of the library, counted as a cost of the first of the collections that is due."""
        def compute(*arguments):
            begin = now()
            stats = self._library.compute_stats(*arguments)
            if self._budget is not None:
                self._charge(next((one for one in collections if one in self._due), collections[0]), begin, outside=True)
            return stats

        return compute

    def _charge(self, collection, begin, outside=False):
        """What has been done since `begin` was done for `collection`; `outside` of an optimiser step."""
        if self._budget is None:
            return
        spent = now() - begin
        self._costs[collection] = self._costs.get(collection, 0) + spent
        if outside:
            self._spent += spent

    def _capture_hashes(self, names, parameters):
        for name, parameter in zip(names, parameters):
            host = on_host(parameter)
            if host is not None:
                values, code = host
                self._record.hash(name, code, tuple(parameter.shape), self._library.digest_of(values.contiguous()))

    def _capture_tensors(self, model, collection, kind, names, tensors):
        """One call of the library for all: it costs more than a small tensor."""
        def series_of(name, code, tensor):
            return self._record.series(name, kind, code, tuple(tensor.shape))

        begin = now()
        detail = self._request.detail(collection)
        if detail is not None:
            record_details(self._record, detail, kind, names, tensors)
        names, tensors = self._gpus.capture(self._record, names, tensors, series_of)
        words, strided, _copies = model.prepared[kind].words(names, tensors, series_of)
        if words:
            self._record.tensors(words)
        if strided:
            self._record.strided_tensors(strided)
        self._charge(collection, begin)

    def _finish_update(self, update):
        suffix = "" if update.is_main else ".%d" % update.model.index
        losses, self._losses = self._losses, Mean()
        if losses and "losses" in self._due:
            if update.is_main and not losses.waits():
                self._record.put(_library.LOSS, "loss", float(losses))
            else:
                self._record.add(_library.LOSS, "loss" + suffix, losses)
        rate = update.optimizer.param_groups[0].get("lr")
        if rate is not None:
            self._put_scalar("lr" + suffix, rate)
        norm, self._norm = self._norm, None
        if norm is not None and "scalars" in self._due:
            self._record.put(_library.SCALAR, "grad_norm" + suffix, norm)
        self._gradients.loss_scale = None
        if update.is_main:
            self._finish_step()

    def _finish_step(self):
        if self._due & _OF_TENSORS:
            self._capture_modules()
            self._gradients.disarm()
        if self._due & _OF_CALLS:
            self._capture_calls()
        logged, self._logged = self._logged, {}
        for (kind, name), (stats, code, shape) in logged.items():
            self._record.stats(name, kind, code, shape, stats)
        if self._evaluation.is_under_way:
            self._evaluation.write(self._record)
        self._record.end_step()
        if self._budget is not None and self._costs:
            self._keep_budget()
        self._spent, self._costs = 0, {}
        self._begin_step()

    def _keep_budget(self):
        moment = now()
        spent = self._spent + moment - self._entered
        if self._budget.recorded(self._record.step - 1, moment, spent, self._costs):
            text = stretched(self._request_text, self._budget.factors)
            self._record.note_request(text)
            self._follow(CaptureRequest(text, rank_and_world()[0]))

    def _begin_step(self):
        self._plan_step()
        if self._record.request_generation() > self._generation:
            self._change_request()
        if self._due & _HOOKED:
            self._arm()
        self._listen()
        self.spans.begin_step("spans" in self._due)
        main = self._main.optimizer() if self._main is not None and not self._due else None
        # A GPU may be capturing a graph, which has to be asked; what is held back waits for its values.
        idle = main is not None and self._record.holds_nothing() and not main.param_groups[0]["params"][0].is_cuda
        self.idle_optimizer = id(main) if idle else None

    def _plan_step(self):
        step = self._record.step
        self._due = self._request.due(step)  # collections to record in the step in progress
        self._next_due = step if self._due else self._request.next_due(step)
        self.wants_losses = "losses" in self._due
        self.wants_clipping = not self._due.isdisjoint(("scalars", "unclipped_gradients"))
        self.wants_local_gradients = "local_gradients" in self._due

    def _ask_for(self, text):
        request = CaptureRequest(text, rank_and_world()[0])
        self._request_text = text
        self._budget = Budget(request.budget, request.intervals()) if request.budget is not None else None
        self._follow(request)

    def _follow(self, request):
        self._request = request
        evaluated = request.evaluated()
        self.wants_evaluated_losses = "losses" in evaluated
        self.watches_evaluation = not evaluated.isdisjoint(OF_MODULES)
        for model in self._models.values():
            model.selected = {}
        self._watch_models()
        self._plan_step()

    def _change_request(self):
        """Somebody asks for something else while the training runs; it holds for the step that begins."""
        changed = self._record.request()
        if changed is None:
            return
        self._generation, text = changed
        try:
            self._ask_for(text)
        except (ValueError, re.error) as error:  # a regular expression that Python reads otherwise
            sys.stderr.write("pawl: what is recorded stays as it was: %s\n" % error)

    def _arm(self):
        collections = self._due & OF_MODULES.keys()
        if collections:
            self._arm_modules(self._hooks, collections)
        if self.wants_local_gradients:
            for optimizer in list(self._optimizers.values()):
                self._gradients.arm(self._with_local_gradients(optimizer), self._request.max_size("local_gradients"))
        if "batches" in self._due:
            self._batches.watch_losses(self._give_up)

    def _listen(self):
        """To those calls of models that matter in the step in progress."""
        of_calls = not self._due.isdisjoint(_OF_CALLS)
        self.evaluated_calls = self._root_ids if of_calls or self.watches_evaluation else _NONE
        self.trained_calls = self.evaluated_calls if of_calls or self._evaluates else _NONE

    def _disarm(self):
        self._hooks.disarm()
        self._gradients.disarm()
        self._batches.leave_losses()
        self.trained_calls = self.evaluated_calls = _NONE
        self.spans.wanted = False

    def _capture_calls(self):
        self._batches.leave_losses()
        for name, begin, end in self.spans.take():
            self._record.span(name, begin, end)
        for name, digest, examples, label_counts in self._batches.take():
            self._record.batch(name, digest, examples, label_counts)

    def _arm_modules(self, hooks, collections):
        if self._compiled:
            self._tell("pawl.compiled", "torch.compile is used: inputs and outputs of modules are not recorded")
        else:
            hooks.arm(self._namer.roots, self._request, collections)

    def _with_local_gradients(self, optimizer):
        parameters, model = _parameters_of(optimizer), self._models.get(id(optimizer))
        if model is None or model.optimizer() is not optimizer or len(model.names) != len(parameters):
            return parameters  # it has made no step: what they are called will be found out
        return [parameter for name, parameter in zip(model.names, parameters)
                if self._request.includes("local_gradients", name)]

    def _capture_modules(self):
        self._hooks.disarm()
        for collection, name, (stats, code, shape) in self._hooks.take():
            self._record.stats(name, OF_MODULES[collection], code, shape, stats)

    # ---- evaluations and notices -----------------------------------------------------------------------------------

    def _evaluated_collections(self):
        """Those to record of what is evaluated now. It follows a training step, or is none."""
        follows = self._record.is_open() and self._record.step > 0 and not self._updating
        return self._request.evaluated(self._record.step - 1) if follows else frozenset()

    def _arm_evaluation(self):
        hooks = self._evaluation.hooks
        collections = self._evaluated_collections() & OF_MODULES.keys()
        if collections and not hooks.is_armed():
            self.idle_optimizer = None
            self._evaluation.is_under_way = True
            self._arm_modules(hooks, collections)
            self.trained_calls = self._root_ids  # the next one ends this

    def _watch_models(self):
        """Those that are known, where what is asked for may need their calls."""
        if not self.watches_evaluation and not self._request.asks_for(_OF_CALLS):
            return
        modules = [module for root in self._namer.roots for module in (root.outermost(), root.module())
                   if module is not None]
        for module in modules:
            watch_model_calls(type(module), self)
        self._root_ids = frozenset(map(id, modules))

    def _in_cuda_graph(self, tensor):
        if not capturing_cuda_graph(tensor):
            return False
        self._tell("pawl.cuda_graph", "a CUDA graph is captured: what it computes is not recorded")
        return True

    def _tell(self, name, text):
        """Once, on standard error and in the record: something is not recorded that was asked for."""
        if name not in self._told:
            self._told.add(name)
            self._record.put(_library.SCALAR, name, 1.0)
            sys.stderr.write("pawl: %s\n" % text)

    def _put_scalar(self, name, value):
        if "scalars" in self._due:
            self._record.put(_library.SCALAR, name, _number(value))


def _number(value):
    return as_number(value) if isinstance(value, torch.Tensor) else float(value)


def _is_bias(name):
    return "bias" in name.rpartition(".")[2]


def _is_scalar(tensor):
    return isinstance(tensor, torch.Tensor) and tensor.numel() == 1 and tensor.is_floating_point()


def _parameters_of(optimizer):
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
