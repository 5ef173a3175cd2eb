"""The task `forecast`: read the past of series, forecast what comes next."""

from elman.tasks.forecast import page, reading, training
from elman.tasks.forecast.data import Batch, Panel
from elman.tasks.forecast.export import export
from elman.tasks.forecast.look import look
from elman.tasks.forecast.mixing.mixture import calibrate
from elman.tasks.forecast.model import build
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.plan import plan
from elman.tasks.forecast.predict import predict
from elman.tasks.forecast.rivals import rivals
from elman.tasks.forecast.scores import validate
from elman.tasks.task import Task

TASK: Task[ForecastOptions, Panel, Batch] = Task(
    name="forecast",
    built_in=("name:sunspots",),
    read=reading.read,
    unseen=reading.unseen,
    examine=page.examine,
    plan=plan,
    build=build,
    epoch=training.epoch,
    loss=training.loss,
    validate=validate,
    rivals=rivals,
    held_out=reading.held_out,
    losses_apart=training.losses_apart,
    remarks=page.remarks,
    look=look,
    export=export,
    predict=predict,
    calibrate=calibrate,
    calibration=("bands.", "mixing."),
    teaches_in_bf16=False,
)
