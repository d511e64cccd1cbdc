"""What pyproject.toml can't say: a wheel has the recipes of experiments/ in flaxgan/recipes. A
clone has them where they are.
"""

from setuptools import setup
from setuptools.command.build_py import build_py


class WithRecipes(build_py):
    """Builds the packages; to flaxgan.recipes the modules of experiments/ are added, but for its
    __init__.py.
    """

    def find_package_modules(self, package, package_dir):
        """(package, module, file) of each; a source distribution takes the files from here, too."""
        modules = super().find_package_modules(package, package_dir)
        if package == "flaxgan.recipes" and not self.editable_mode:
            recipes = super().find_package_modules(package, "experiments")
            modules += [recipe for recipe in recipes if recipe[1] != "__init__"]
        return modules


setup(cmdclass={"build_py": WithRecipes})
