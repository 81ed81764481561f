"""Make the built-in model from nothing: tokenizer, training, evaluation, model card."""

import argparse
import os
import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from adaptation.pebble.corpus import tokenizer_texts
from adaptation.pebble.evaluate import evaluate
from adaptation.pebble.export import export, write_card
from adaptation.pebble.recipe import Recipe
from adaptation.pebble.tokenizer import as_pretrained, trained_tokenizer
from adaptation.pebble.train import (
    CHECKPOINT,
    Lessons,
    Optimizers,
    OtherRecipeError,
    Run,
    new_model,
    train,
)

EXAMPLES = """\
examples:
  python -m adaptation.pebble
      make the model as it ships, in build/whet-pebble; the same command goes on after an
      interruption
  python -m adaptation.pebble --minutes 2 --out /tmp/try --worlds 2 --questions 16
      a quick try of the whole way
  python -m adaptation.pebble --fresh --seed 1
      start over, with other data
"""


def arguments() -> argparse.Namespace:
    recipe = Recipe()
    parser = argparse.ArgumentParser(
        "python -m adaptation.pebble",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=recipe.minutes,
        help=f"training time (default {recipe.minutes:g})",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/whet-pebble"),
        help="folder for the model (default build/whet-pebble)",
    )
    parser.add_argument("--fresh", action="store_true", help="do not go on from a checkpoint")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and data")
    parser.add_argument(
        "--threads",
        type=int,
        default=os.cpu_count() or 1,
        help="processor cores to use; fewer than all where others work there too",
    )
    parser.add_argument("--worlds", type=int, default=4, help="unseen worlds to evaluate on")
    parser.add_argument("--questions", type=int, default=64, help="questions per ordinary suite")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    recipe = Recipe(seed=options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    checkpoint = options.out / CHECKPOINT
    if options.fresh:
        checkpoint.unlink(missing_ok=True)
    resume = checkpoint.exists()
    tokenizer = _tokenizer(recipe, options.out, resume)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = new_model(recipe.shape, tokenizer, recipe.seed).to(device)
    run = Run(model, Optimizers(model, recipe), repr(recipe))
    if resume:
        run.load(checkpoint)
    lessons = Lessons(tokenizer.backend_tokenizer, recipe, run.steps)
    if device.type == "cuda" or shutil.which("c++"):
        lessons.compile(model)
    train(run, lessons, recipe, options.minutes, options.out)
    export(model, tokenizer, options.out)
    # Scores are of the weights as they ship, rounded to bfloat16, but computed in float32: on a
    # processor without bfloat16 arithmetic that is the faster of the two.
    scores = evaluate(model.float().eval(), tokenizer, options.worlds, options.questions)
    write_card(run, scores, options.out)
    print(f"made in {options.out}")


def _tokenizer(recipe: Recipe, out: Path, resume: bool) -> PreTrainedTokenizerFast:
    """The one beside the checkpoint when resuming, else a newly trained one."""
    if resume:
        loaded: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(out)
        return loaded
    trained = trained_tokenizer(tokenizer_texts(recipe), recipe.shape.vocabulary)
    tokenizer = as_pretrained(trained, recipe.shape.max_tokens)
    tokenizer.save_pretrained(out)
    return tokenizer


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from here")
    except OtherRecipeError as error:
        sys.exit(f"pebble: {error}")
