// NOT COMPILED where this project is built: see README.md of the Android project.

package blazeface.app

import android.Manifest
import android.os.Bundle
import android.util.Log
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts
import androidx.camera.core.CameraSelector
import androidx.camera.core.ImageAnalysis
import androidx.camera.lifecycle.ProcessCameraProvider
import androidx.core.content.ContextCompat
import java.util.concurrent.Executors

/** Logs the faces of the front camera; drawing them is the app's. */
class MainActivity : ComponentActivity() {
    private val thread = Executors.newSingleThreadExecutor()
    private var analyzer: FaceAnalyzer? = null

    private val permission = registerForActivityResult(ActivityResultContracts.RequestPermission()) { granted ->
        if (granted) start() else finish()
    }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        permission.launch(Manifest.permission.CAMERA)
    }

    private fun start() {
        val future = ProcessCameraProvider.getInstance(this)
        future.addListener({
            val analysis = ImageAnalysis.Builder()
                .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
                .build()
            analysis.setAnalyzer(thread) { frame ->
                val faces = analyzer ?: FaceAnalyzer(assets, mirrored = true, ::log).also { analyzer = it }
                faces.analyze(frame)
            }
            future.get().bindToLifecycle(this, CameraSelector.DEFAULT_FRONT_CAMERA, analysis)
        }, ContextCompat.getMainExecutor(this))
    }

    private fun log(faces: List<blazeface.Face>, width: Int, height: Int) {
        for (face in faces) Log.i("BlazeFace", "${face.score} at ${face.x1}, ${face.y1} of $width x $height")
    }

    override fun onDestroy() {
        super.onDestroy()
        thread.execute { analyzer?.close() }
        thread.shutdown()
    }
}
